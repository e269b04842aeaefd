"""A small folder of shards, and a server that serves it."""

from __future__ import annotations

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


@pytest.fixture(scope="session")
def shard_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of twelve tones of a quarter second, in three or more shards."""
    folder = tmp_path_factory.mktemp("shards")
    rows = []
    for number in range(12):
        path = folder / f"tone{number}.wav"
        tone = 0.3 * np.sin(2 * np.pi * 100 * (number + 1) * np.arange(8000) / 32000)
        write_audio(path, tone.astype(np.float32)[None], 32000, "PCM_16")
        rows.append(Row(path, f"tone {number % 3}", id=path.stem))
    write_manifest(folder / "train.json", rows)
    shards(ShardsOptions(folder / "train.json", folder / "shards", size="50kB", convert="32k-mono-wav"))
    return folder / "shards"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(remote_files, "FIRST_WAIT", 0.001)
    with running_file_server() as server:
        yield server
