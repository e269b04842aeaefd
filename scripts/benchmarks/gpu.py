"""Measurements for a GPU: separation by length, CUDA graphs, precision, and throughput by batch size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measuring import fastest, inputs, perturbed
from benchmarks.separating import QUERY, recording
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.models import BaseModel
from dplass_cli.models.cuda_graphs import replay_windows
from dplass_cli.options.model_options import Precision
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.core import Request, SeparationCore
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.separator import Separator

PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")


def _eager(network: BaseModel) -> None:
    network.backbone.runner = None


def lengths(network: BaseModel, encoder: QueryEncoder, seconds: Sequence[float], repeats: int) -> dict[str, float]:
    """Real-time factor of separating files of several lengths, with and without graphs, in both precisions.

    ``32-true`` uses TF32 for convolutions, as PyTorch does by default.

    Args:
        network: the base; an adapter with random weights is active.
        encoder: embeds the query.
        seconds: lengths of the recordings; all but the first are separated once.
        repeats: of the first.
    """
    adapter = perturbed(network)
    bank = AdapterBank(network)
    bank.add("domain0", adapter)
    runners: dict[str, Callable[[BaseModel], None]] = {"eager": _eager, "graphs": replay_windows}
    if next(network.parameters()).device.type != "cuda":
        del runners["graphs"]
    result = {}
    with tempfile.TemporaryDirectory() as name:
        files = [recording(Path(name) / f"{at}.wav", at, network.config.sample_rate) for at in seconds]
        for precision in PRECISIONS:
            separator = Separator(bank, encoder, make_policy("single:0"), precision=precision)
            for what, prepare in runners.items():
                prepare(network)
                for number, (file, at) in enumerate(zip(files, seconds, strict=True)):
                    took = fastest(
                        partial(separator.separate_file, file, [QUERY], Path(name)),
                        repeats if number == 0 else 1,
                        warm_up=number == 0,
                    )
                    result[f"{precision}_{what}_{at:g}s_real_time_factor"] = took / at
    _eager(network)
    return result


@torch.inference_mode()
def throughput(network: BaseModel, batches: Sequence[int], seconds: float, repeats: int) -> dict[str, float]:
    """Mixtures per second of the network with one adapter, by batch size and precision; stops where memory ends."""
    bank = AdapterBank(network)
    bank.add("domain0", perturbed(network))
    result = {}
    for precision in PRECISIONS:
        for batch in batches:
            mixtures, conditions = inputs(network, batch, seconds)
            core = SeparationCore(bank, bfloat16=precision == "bf16-mixed", batch_size=batch)
            requests = [Request(condition, "domain0", number) for number, condition in enumerate(conditions)]
            try:
                took = fastest(partial(_separate, core, mixtures, requests), repeats)
            except torch.cuda.OutOfMemoryError:
                break
            result[f"{precision}_batch_{batch}_mixtures_per_s"] = batch / took
    return result


def _separate(core: SeparationCore, mixtures: Tensor, requests: Sequence[Request]) -> None:
    core.separate(core.prepare(mixtures), requests)
