"""Shares of the CPU time of separating a recording from disk to disk."""

from __future__ import annotations

import cProfile
import inspect
import pstats
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.separating import QUERY, backends, recording
from dplass_cli.audio.reading import read_blocks
from dplass_cli.models.backends import OpenVINOBody, choose_backend
from dplass_cli.models.resunet30 import ResUNet30, ResUNetBase
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.output import Targets
from dplass_cli.separation.passes import resampled
from dplass_cli.separation.presence import PresenceMeter
from dplass_cli.separation.refinement import ResidualEmbedding
from dplass_cli.separation.separator import Separator

PARTS: Mapping[str, Sequence[Callable[..., Any]]] = {
    "masks_and_inverse_transforms": (ResUNet30.synthesise,),
    "forward_transforms": (ResUNet30.analyse,),
    "presence": (PresenceMeter.add,),
    "embedding_of_residuals": (ResidualEmbedding.add, ResidualEmbedding.condition),
    "resampling": (resampled,),
    "reading": (read_blocks,),
    "writing": (Targets.write,),
    "activating_adapters": (AdapterBank.activate,),
}
CONVOLUTIONS: Mapping[str, Callable[..., Any]] = {"openvino": OpenVINOBody.__call__, "torch": ResUNetBase.body}


def parts(separator: Separator, seconds: float) -> dict[str, float]:
    """Real-time factor, and share of each part, of separating a mono recording at the network's rate.

    The first separation is left out.
    """
    network, result = separator.bank.network, {}
    with tempfile.TemporaryDirectory() as name:
        file = recording(Path(name) / "mixture.wav", seconds, network.config.sample_rate)
        for backend in backends(network):
            choose_backend(network, backend, warmup_macs=0.0)
            separator.separate_file(file, [QUERY], Path(name))
            profile = cProfile.Profile(time.process_time)
            profile.enable()
            separator.separate_file(file, [QUERY], Path(name))
            profile.disable()
            spent = _cumulative(profile)
            total = spent[_key(Separator.separate_file)]
            result[f"{backend}_real_time_factor"] = total / seconds
            for part, functions in {"convolutions": (CONVOLUTIONS[backend],), **PARTS}.items():
                result[f"{backend}_{part}"] = sum(spent.get(_key(each), 0.0) for each in functions) / total
    choose_backend(network, "torch")
    return result


def _cumulative(profile: cProfile.Profile) -> dict[tuple[str, int, str], float]:
    """{function: CPU seconds in it and in what it calls}"""
    stats: dict[tuple[str, int, str], Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return {key: values[3] for key, values in stats.items()}


def _key(function: Callable[..., Any]) -> tuple[str, int, str]:
    code = inspect.unwrap(function).__code__
    return code.co_filename, code.co_firstlineno, code.co_name
