"""A small manifest of tones, and shards of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer, running_file_server

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.options.prepare_options import ShardsOptions
from dplass_cli.pipelines.prepare import shards
from dplass_cli.shards import remote_files
from dplass_cli.shards.shard_store import shard_store

RATE = 32000


def tones(folder: Path, count: int = 12) -> list[Row]:
    """Write tones of a quarter second and ``train.json``, in which every third has the same caption."""
    rows = []
    for number in range(count):
        path = folder / f"tone{number}.wav"
        tone = 0.3 * np.sin(2 * np.pi * 100 * (number + 1) * np.arange(RATE // 4) / RATE)
        write_audio(path, tone.astype(np.float32)[None], RATE, "PCM_16")
        rows.append(Row(path, f"tone {number % 3}", id=path.stem))
    write_manifest(folder / "train.json", rows)
    return rows


def tone_shards(folder: Path) -> Path:
    """Shards of twelve tones, three in each of four."""
    tones(folder)
    shards(ShardsOptions(folder / "train.json", folder / "shards", size="50kB", convert="32k-mono-wav"))
    return folder / "shards"


@contextlib.contextmanager
def impatient_server() -> Iterator[FileServer]:
    """A server whose clients try again at once."""
    with pytest.MonkeyPatch.context() as patch, running_file_server() as server:
        patch.setattr(remote_files, "FIRST_WAIT", 0.001)
        yield server


@contextlib.contextmanager
def own_store(folder: Path) -> Iterator[None]:
    """Keep copies of remote shards in a folder, until the context ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DPLASS_SHARD_CACHE", str(folder))
        shard_store.cache_clear()
        yield
    shard_store.cache_clear()
