"""Clips in shards against the same clips as single files: writing, embedding, and an epoch of training.

Each measurement runs the command line in a process of its own, whose peak memory is reported. Encoder and network are
the smallest possible ones, with random weights, so that most of the time goes into reading.
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

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.encoders import save_tiny_encoder
from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.options.encoder_settings import TinyEncoderConfig

RATE, SECONDS, KINDS = 32000, 0.25, 20
_FOLDERS = 1000  # files per folder
_SOUNDS = 1000  # that differ
_COMPARED = 20_000  # at most: clips that are read as single files
_ENCODER = TinyEncoderConfig(size=8, buckets=64, word_size=8, hidden=8, mels=16, widths=(1,))
# A convolution of one channel takes as long as one of 16, so that few cells are what makes a network cheap: the stem
# leaves 32 of the 8,000 samples' 4,096 cells.
_NETWORK = (
    "network={condition_size: 8, n_fft: 256, hop: 250, stem: [4, 8], pre_channels: 1, channels: [1],"
    " downsample: [[2, 2]]}",
    f"data.segment_seconds={SECONDS}",
    "data.semantic_filter=null",  # the captions differ by a number only
    "train.batch_size_per_device=200",
)


def sharded(clips: int) -> dict[str, float]:
    """Items per second, CPU time per item and peak memory of each step, on single files and on shards."""
    figures: dict[str, float] = {"clips": clips}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_tiny_encoder(folder / "encoder.safetensors", TinyEncoder(_ENCODER))
        write_clips(folder, clips)
        form = ("--size", "5MB", "--convert", "32k-mono-flac", "--output", str(folder / "shards"))
        figures |= _measure("prepare_shards", clips, "prepare", "shards", str(folder / "train.json"), *form)
        shards = folder / "shards" / "manifest.json"
        some = min(clips, _COMPARED)
        for name, manifest, count in (
            ("shards", shards, clips),
            ("some_files", first_rows(folder / "train.json", some), some),
            ("some_shards", first_rows(shards, some), some),
        ):
            figures |= _embed_and_train(name, manifest, count, folder)
    return figures


def first_rows(manifest: Path, count: int) -> Path:
    """Write a manifest of the first ``count`` rows into the same folder."""
    path = manifest.with_name("first.json")
    write_manifest(path, read_manifest(manifest)[:count])
    return path


def _embed_and_train(name: str, manifest: Path, clips: int, folder: Path) -> dict[str, float]:
    """Embed a manifest's clips, partition their captions, and train a network for an epoch."""
    encoder = ("--encoder", str(folder / "encoder.safetensors"), "--device", "cpu")
    partition = str(folder / f"partition_{name}")
    out = str(folder / f"embedded_{name}")
    figures = _measure(f"embed_{name}", clips, "embed", str(manifest), *encoder, "-o", out)
    few = ("--features", "text", "--domains", "2", "--val-fraction", "0.01", "--cache", out)
    figures |= _measure(f"partition_{name}", clips, "partition", str(manifest), *encoder, *few, "-o", partition)
    settings = [word for setting in _NETWORK for word in ("--set", setting)]
    run = ("--data", partition, "--workspace", str(folder / f"run_{name}"), "--max-epochs", "1")
    return figures | _measure(f"train_{name}", clips, "train", "--what", "base", *run, *encoder, *settings)


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


def _measure(step: str, clips: int, *arguments: str) -> dict[str, float]:
    """Run the command line on a number of clips; print and return its figures."""
    seconds, cpu, mib = _run(["-m", "dplass_cli", *arguments])
    figures = {f"{step}_per_s": clips / seconds, f"{step}_cpu_ms": 1e3 * cpu / clips, f"{step}_peak_mib": mib}
    print(f"{clips:,} clips: {figures}", flush=True)
    return figures


def _run(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Run Python: wall seconds, CPU seconds, and peak memory in MiB."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments}: exit code {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
