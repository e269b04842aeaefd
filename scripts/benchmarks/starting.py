"""How long commands take from a cold start, next to Python's import of torch alone."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import measuring
from dplass_cli.audio.writing import write_audio
from dplass_cli.sounds import render

_DPLASS = (sys.executable, "-m", "dplass_cli")


def starting(repeats: int) -> dict[str, Any]:
    """Medians in seconds of whole processes, taken in turn: torch's import, the help, and ``separate`` of 8 s."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording.wav"
        write_audio(recording, render("dog_bark", 0, 8.0, 32000)[None], 32000)
        separate = ("separate", str(recording), "--query", "a dog barking", "--overwrite", "--output", folder)
        commands = {
            "import_torch": (sys.executable, "-c", "import torch"),
            "help": (*_DPLASS, "--help"),
            "separate": (*_DPLASS, *separate),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, command in commands.items():
                before = _now()
                subprocess.run(command, check=True, capture_output=True)
                seconds[name].append(_now() - before)
    medians = {f"{name}_s": statistics.median(values) for name, values in seconds.items()}
    return {**medians, "separate_beyond_torch_s": medians["separate_s"] - medians["import_torch_s"]}


def _now() -> float:
    """The selected clock; ``cpu`` is that of the processes that have ended."""
    if measuring.clock == "wall":
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
