"""Clips in shards against the same clips as single files: writing, embedding, and an epoch of training samples.

Each measurement runs in a process of its own, whose peak memory is reported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.ontology import kinds_of
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.options.data_settings import DataSettings

RATE, SECONDS, KINDS = 32000, 0.25, 20
_FOLDERS = 1000  # files per folder
_SOUNDS = 1000  # that differ
_EMBEDDED = 20_000  # at most: the encoder takes nearly all of the time, and as long for each clip


def sharded(clips: int) -> dict[str, float]:
    """Items per second and peak memory (MiB) of each step, on single files and on shards, in a temporary folder."""
    figures: dict[str, float] = {"clips": clips}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_clips(folder, clips)
        files, shards = folder / "train.json", folder / "shards" / "manifest.json"
        form = ["--size", "5MB", "--convert", "32k-mono-flac", "--output", str(shards.parent)]
        figures |= _measure("prepare_shards", clips, "-m", "dplass_cli", "prepare", "shards", str(files), *form)
        for name, manifest in (("files", files), ("shards", shards)):
            some, count = first_rows(manifest, _EMBEDDED)
            out = str(folder / f"embeddings_{name}")
            figures |= _measure(f"embed_{name}", count, "-m", "dplass_cli", "embed", str(some), "-o", out)
            figures |= _measure(f"samples_of_{name}", clips, "-m", "benchmarks.sharded", str(manifest))
    return figures


def first_rows(manifest: Path, count: int) -> tuple[Path, int]:
    """A manifest of the first ``count`` rows, beside the whole one, and the number of its rows."""
    rows = read_manifest(manifest)[:count]
    path = manifest.with_name("first.json")
    write_manifest(path, rows)
    return path, len(rows)


def write_clips(folder: Path, clips: int) -> None:
    """Write tones in noise as single files, and ``train.json``; after 1,000 sounds they are links to these."""
    (folder / "sounds").mkdir()
    sounds = [folder / "sounds" / f"{number:03d}.flac" for number in range(min(clips, _SOUNDS))]
    for number, path in enumerate(sounds):
        random = np.random.default_rng(number)
        audio = 0.05 * random.standard_normal(round(RATE * SECONDS), dtype=np.float32)
        audio += 0.2 * np.sin(random.uniform(0.01, 1.0) * np.arange(len(audio), dtype=np.float32))
        write_audio(path, audio[None], RATE, "PCM_16")
    rows = []
    for number in range(clips):
        path = folder / f"part{number // _FOLDERS:05d}" / f"{number:08d}.flac"
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(sounds[number % len(sounds)])
        rows.append(Row(path, f"sound of kind {number % KINDS}", id=f"{number:08d}"))
    write_manifest(folder / "train.json", rows)


def read_epoch(manifest: Path) -> int:
    """Read the batches of an epoch of training samples in two worker processes; return the number of samples."""
    kinds = [kinds_of([f"kind {number}"]) for number in range(KINDS)]
    sources = [SourceClip(row, kinds[int(row.caption.split()[-1])], (0,)) for row in read_manifest(manifest)]
    settings = DataSettings(segment_seconds=SECONDS)
    samples = TrainingSamples(sources, {0: sources}, torch.zeros(1, 128), settings, seed=0)
    return sum(len(batch.number) for batch in TrainingLoader(samples, EpochBatches(len(samples), 20), workers=2))


def _measure(step: str, clips: int, *arguments: str) -> dict[str, float]:
    """Run Python on a number of clips; print and return its figures."""
    seconds, cpu, mib = _run(arguments)
    figures = {f"{step}_per_s": clips / seconds, f"{step}_cpu_ms": 1e3 * cpu / clips, f"{step}_peak_mib": mib}
    print(f"{clips:,} clips: {figures}", flush=True)
    return figures


def _run(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Run Python: wall seconds, CPU seconds, and peak memory in MiB."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "scripts")])}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments}: exit code {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    read_epoch(Path(sys.argv[1]))
