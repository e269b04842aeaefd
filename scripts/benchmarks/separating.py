"""Measurements of separating recordings from disk to disk."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from benchmarks.evaluating import ConvolutionSTFT
from benchmarks.measuring import fastest, perturbed, plain, precisions, published_steps
from dplass_cli import sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.extras import missing_libraries
from dplass_cli.models import BaseModel, quantization
from dplass_cli.models.backends import choose_backend
from dplass_cli.models.quantization import QuantizationExamples
from dplass_cli.options.model_options import Backend
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.quantization_examples import BUILT_IN, quantization_examples
from dplass_cli.separation.separator import Separator

QUERY = "a dog barking"
WINDOW, KEPT = 5.0, 3.0  # seconds of AudioSep's chunks, and kept of all but the first and last


def recording(path: Path, seconds: float, rate: int) -> Path:
    """Write a mixture of two built-in sounds, repeated to a length in seconds."""
    dog, rain = (sounds.render(name, 3000, 10.0, rate) for name in ("dog_bark", "rain"))
    mixture = np.tile(dog + rain, int(np.ceil(seconds / 10.0)))[: round(seconds * rate)]
    write_audio(path, 0.5 * mixture[None] / np.abs(mixture).max(), rate, "PCM_16")
    return path


def published_runs(seconds: float) -> int:
    """Forward passes of the published chunk scheme: a window every three seconds, all but the first computed twice."""
    windows = int(np.ceil((seconds - WINDOW) / KEPT))
    return 2 * windows - 1


@torch.inference_mode()
def separation(
    network: BaseModel, encoder: QueryEncoder, seconds: float, long: float, repeats: int
) -> dict[str, float]:
    """One query with one adapter on a short and on a long recording, against the published procedure.

    The published procedure runs two convolutions per adapted layer and computes the transform by convolutions, on the
    whole short recording and in chunks on the long one. One chunk is measured and its time is multiplied.
    """
    adapter, rate, device = perturbed(network), network.config.sample_rate, next(network.parameters()).device
    model = plain(network, adapter)
    model.backbone.stft = ConvolutionSTFT(network.config.n_fft, network.config.hop).to(device)
    bank = AdapterBank(network)
    bank.add("domain0", adapter)
    separator = Separator(bank, encoder, make_policy("single:0"), precision="32-true")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short, lengthy = (recording(folder / f"{at}.wav", at, rate) for at in (seconds, long))

        def theirs(samples: int) -> None:
            mixture = soundfile.read(short, samples, dtype="float32")[0]
            condition = encoder.embed_text([QUERY]).to(device)
            estimate: Tensor = model(torch.from_numpy(mixture)[None, None].to(device), condition)
            soundfile.write(folder / "theirs.wav", np.int16(estimate[0, 0].cpu().numpy() * 32767), rate)

        def ours(file: Path) -> None:
            separator.separate_file(file, [QUERY], folder / "ours")

        with published_steps():
            whole = fastest(lambda: theirs(round(seconds * rate)), repeats)
            chunk = fastest(lambda: theirs(round(WINDOW * rate)), repeats)
        result = {
            "short_s": seconds,
            "long_s": long,
            "plain_short_takes_s": whole,
            "plain_long_takes_s": chunk * published_runs(long),
            "of_it_measured_s": chunk,
        }

        fastest_backend = backends(network)[-1]
        for what in arithmetics([separator], folder / "graphs"):
            result[f"{what}_short_times_faster"] = whole / fastest(lambda: ours(short), repeats)
            if what.startswith(fastest_backend):
                took = fastest(lambda: ours(lengthy), 1, warm_up=False)
                result[f"{what}_long_times_faster"] = chunk * published_runs(long) / took
                result[f"{what}_long_real_time_factor"] = took / long
    return result


def backends(network: BaseModel) -> list[Backend]:
    """The backends available on a network's device."""
    choose_backend(network, "auto")
    return ["torch"] if network.backbone.runner is None else ["torch", "openvino"]


def arithmetics(separators: Collection[Separator], folder: Path) -> Iterator[str]:
    """Make separators compute in every way that this machine is made for, and name each: the backend and the precision.

    Args:
        separators: they share a network and an encoder.
        folder: for quantised graphs.
    """
    first = next(iter(separators))
    network, has_int8 = first.bank.network, not missing_libraries("int8")
    largest_loss = quantization.MAX_LOSS_DB
    try:
        for backend in backends(network):
            for precision in [*precisions(first.bank.device), *["int8"] * (has_int8 and backend == "openvino")]:
                choose_backend(network, backend, constant_weights=not any(each.bank.keys for each in separators))
                for separator in separators:
                    separator.core.bfloat16 = precision == "bf16-mixed"
                if precision == "int8":
                    in_int8(network, first.encoder, folder)
                yield f"{backend}_{precision}"
    finally:
        quantization.MAX_LOSS_DB = largest_loss
        choose_backend(network, "torch")


def in_int8(network: BaseModel, encoder: QueryEncoder, folder: Path) -> None:
    """Run a network in INT8, quantised on a few examples and at any loss: only its speed counts."""
    quantization.MAX_LOSS_DB = math.inf

    def examples() -> QuantizationExamples:
        found = quantization_examples(BUILT_IN, encoder, network.config)
        return QuantizationExamples(found.mixtures[:4], found.conditions[:4])

    quantization.run_in_int8(network, "auto", examples, folder)


def one_core(separators: Mapping[str, Separator], seconds: float, repeats: int) -> dict[str, float]:
    """Real-time factors on one core, with each backend and precision.

    Args:
        separators: by name; they share a network and an encoder.
        seconds: length of the recording, which is mono and at the network's rate.
        repeats: separations, of which the fastest counts.
    """
    threads, result = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    rate = next(iter(separators.values())).bank.network.config.sample_rate
    with tempfile.TemporaryDirectory() as name:
        file = recording(Path(name) / "mixture.wav", seconds, rate)
        for what in arithmetics(separators.values(), Path(name) / "graphs"):
            for policy, separator in separators.items():
                took = fastest(partial(separator.separate_file, file, [QUERY], Path(name) / "out"), repeats)
                result[f"{what}_{policy}_real_time_factor"] = took / seconds
    torch.set_num_threads(threads)
    return result
