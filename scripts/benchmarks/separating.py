"""Measurements of separating recordings from disk to disk."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from benchmarks.evaluating import ConvolutionSTFT
from benchmarks.measuring import fastest, now, perturbed, plain, published_steps
from dplass_cli import sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.models import BaseModel, quantization
from dplass_cli.models.backends import choose_backend
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
    adapter, rate = perturbed(network), network.config.sample_rate
    model = plain(network, adapter)
    model.base.stft = ConvolutionSTFT(network.config.n_fft, network.config.hop).to(next(network.parameters()).device)
    bank = AdapterBank(network)
    bank.add("domain0", adapter)
    separator = Separator(bank, encoder, make_policy("single:0"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short, lengthy = (recording(folder / f"{at}.wav", at, rate) for at in (seconds, long))

        def theirs(samples: int) -> None:
            mixture = soundfile.read(short, samples, dtype="float32")[0]
            condition = encoder.embed_text([QUERY]).to(next(model.parameters()).device)
            estimate: Tensor = model(torch.from_numpy(mixture)[None, None].to(condition.device), condition)
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
        for backend in backends(network):
            choose_backend(network, backend)
            result[f"{backend}_short_times_faster"] = whole / fastest(lambda: ours(short), repeats)

        def on_long() -> float:
            began = now()
            ours(lengthy)
            return now() - began

        took = on_long()  # with the last backend, the fastest in float32
        result["long_times_faster"] = chunk * published_runs(long) / took
        result["long_real_time_factor"] = took / long
        if find_spec("nncf") and network.base.runner is not None:
            in_int8(network, encoder, folder / "graphs")
            result["int8_short_times_faster"] = whole / fastest(lambda: ours(short), repeats)
            result["int8_long_times_faster"] = chunk * published_runs(long) / on_long()
    choose_backend(network, "torch")
    return result


def backends(network: BaseModel) -> list[Backend]:
    """The backends available on a network's device."""
    choose_backend(network, "auto")
    return ["torch"] if network.base.runner is None else ["torch", "openvino"]


def in_int8(network: BaseModel, encoder: QueryEncoder, folder: Path) -> None:
    """Run a network in INT8. Random weights have no accuracy to lose, so none is asked for."""
    quantization.MAX_LOSS_DB = math.inf
    examples = partial(quantization_examples, BUILT_IN, encoder, network.config)
    quantization.run_in_int8(network, "auto", examples, folder)


def one_core(separators: Mapping[str, Separator], seconds: float, repeats: int) -> dict[str, float]:
    """Real-time factors on one core, with each backend and in INT8.

    Args:
        separators: by name; they share a network and an encoder.
        seconds: length of the recording, which is mono and at the network's rate.
        repeats: separations, of which the fastest counts.
    """
    threads, result = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    separator = next(iter(separators.values()))
    network, encoder = separator.bank.network, separator.encoder
    with tempfile.TemporaryDirectory() as name:
        file = recording(Path(name) / "mixture.wav", seconds, network.config.sample_rate)

        def measure(what: str) -> None:
            for policy, separator in separators.items():
                took = fastest(lambda: separator.separate_file(file, [QUERY], Path(name) / "out"), repeats)  # noqa: B023
                result[f"{what}_{policy}_real_time_factor"] = took / seconds

        for backend in backends(network):
            choose_backend(network, backend)
            measure(backend)
        if find_spec("nncf") and network.base.runner is not None:
            in_int8(network, encoder, Path(name) / "graphs")
            measure("int8")
    choose_backend(network, "torch")
    torch.set_num_threads(threads)
    return result
