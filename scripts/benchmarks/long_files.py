"""Separation from disk to disk as a multiple of the network's own time, by length and windows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.measuring import fastest, inputs
from benchmarks.separating import QUERY, backends, recording
from dplass_cli.models import BaseModel
from dplass_cli.models.backends import choose_backend
from dplass_cli.separation.separator import Separator

WINDOWS = {"8s_windows": 8.0, "chosen_windows": None}
_BARE_SECONDS = 10.0
_REPEATED_SECONDS = 30.0  # longer recordings are separated once


def long_files(separators: Mapping[str, Separator], lengths: Sequence[float], repeats: int) -> dict[str, float]:
    """Time of separating mono recordings at the network's rate, per time of a bare forward pass of their length.

    A bare forward pass is the network alone, without transforms, of 10 s, multiplied by the length. What is more than 1
    (with refinement: than 2) is context, transforms, presence, reading and writing.

    Args:
        separators: by name; they share a network.
        lengths: seconds of the recordings.
        repeats: of recordings of up to 30 s.
    """
    network = next(iter(separators.values())).bank.network
    constant_weights = not any(separator.bank.keys for separator in separators.values())
    result = {}
    with tempfile.TemporaryDirectory() as name:
        files = {at: recording(Path(name) / f"{at:g}.wav", at, network.config.sample_rate) for at in lengths}
        for backend in backends(network):
            choose_backend(network, backend, 0.0, constant_weights)
            bare = bare_forward(network, repeats)
            result[f"{backend}_bare_forward_real_time_factor"] = bare
            for what, separator in separators.items():
                for at, file in files.items():
                    for windows, separator.window in WINDOWS.items():
                        took = fastest(
                            partial(separator.separate_file, file, [QUERY], Path(name)),
                            repeats if at <= _REPEATED_SECONDS else 1,
                            warm_up=at <= _REPEATED_SECONDS,
                        )
                        result[f"{backend}_{what}_{at:g}s_{windows}_of_bare_forward"] = took / (bare * at)
    choose_backend(network, "torch")
    return result


@torch.inference_mode()
def bare_forward(network: BaseModel, repeats: int) -> float:
    """Seconds per second of audio that the network itself takes, without transforms."""
    mixture, condition = inputs(network, 1, _BARE_SECONDS)
    features = network.analyse(mixture).features
    return fastest(lambda: network.estimate(features, condition), repeats) / _BARE_SECONDS
