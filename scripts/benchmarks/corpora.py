"""Verbs on two million rows, each run in a separate process."""

from __future__ import annotations

import base64
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.encoders import QueryEncoder, TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, clip_key


def preparing(segments: int) -> dict[str, float]:
    """``prepare-audioset --check none`` over a list of ``segments`` and a tenth of it, in separate processes."""
    figures: dict[str, float] = {}
    for name, count in (("tenth", segments // 10), ("whole", segments)):
        with tempfile.TemporaryDirectory() as folder:
            seconds, mib = _prepare(Path(folder), count)
        figures |= {f"{name}_seconds": seconds, f"{name}_peak_mib": mib}
    return figures | {"time_of_ten_tenths": figures["whole_seconds"] / figures["tenth_seconds"] / 10}


def _prepare(folder: Path, count: int) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MiB. Ids, labels and names are random; 24 of 25 files are listed."""
    draw = random.Random(0)
    mids = [f"/m/{number:05d}" for number in range(527)]
    names = "index,mid,display_name\n" + "".join(f"0,{mid},Class {mid}\n" for mid in mids)
    (folder / "labels.csv").write_text(names)
    with open(folder / "segments.csv", "w") as segments, open(folder / "files.txt", "w") as files:
        for _ in range(count):
            ytid, start = base64.urlsafe_b64encode(draw.randbytes(8))[:11].decode(), 10 * draw.randrange(60)
            chosen = ",".join(sorted(draw.sample(mids, draw.randint(1, 4))))
            segments.write(f'{ytid}, {start}.000, {start + 10}.000, "{chosen}"\n')
            if draw.random() < 0.96:
                files.write(f"/data/audioset/unbalanced/part{start:03d}/Y{ytid}.wav\n")
    command = ["prepare-audioset", "--check", "none", "--captions", "each", "-o", str(folder / "train.json")]
    for flag, name in (("--segments", "segments.csv"), ("--labels", "labels.csv"), ("--file-list", "files.txt")):
        command += [flag, str(folder / name)]
    return _run(command)


def partitioning(clips: int) -> dict[str, float]:
    """``partition`` of clips with 527 captions, with cached random embeddings of 512 values."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = folder / "encoder.safetensors"
        save_tiny_encoder(encoder, TinyEncoder(TinyEncoderConfig(size=512)))
        _write_embedded(folder, clips, load_encoder(str(encoder)))
        manifest, cache = str(folder / "train.json"), str(folder / "cache")
        output = str(folder / "partition")
        seconds, mib = _run(["partition", manifest, "--cache", cache, "--encoder", str(encoder), "--output", output])
    return {"cpu_seconds": seconds, "peak_mib": mib}


def _write_embedded(folder: Path, count: int, encoder: QueryEncoder) -> None:
    """Write a manifest of many ranges of one file, and an embedding of each, in seven groups of captions."""
    random, wav = np.random.default_rng(0), folder / "noise.wav"
    write_audio(wav, random.normal(0, 0.1, (1, 16000)).astype(np.float32), 16000)
    clips = [Clip(wav, number / (2 * count), 1.0) for number in range(count)]
    captions = random.integers(527, size=count)
    centres = random.normal(size=(7, encoder.size))[np.arange(527) % 7] + random.normal(size=(527, encoder.size))
    rows = (Row(wav, f"caption {caption}", (), str(n), clips[n].start, 1.0) for n, caption in enumerate(captions))
    write_manifest(folder / "train.json", rows)
    cache = EmbeddingCache(folder / "cache", encoder)
    for first in range(0, count, 100_000):
        part = slice(first, first + 100_000)
        vectors = centres[captions[part]] + random.normal(size=(len(clips[part]), encoder.size))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        keys = [clip_key(clip, "path") for clip in clips[part]]
        cache.add([key for key in keys if key is not None], vectors.astype(np.float32))


def _run(arguments: list[str]) -> tuple[float, float]:
    """Run the command line; return CPU seconds and peak memory in MiB."""
    process = subprocess.Popen([sys.executable, "-m", "dplass_cli", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
