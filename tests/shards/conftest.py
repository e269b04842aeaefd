"""A small folder of shards, and a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer
from small_shards import impatient_server, tone_shards


@pytest.fixture(scope="session")
def shard_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with impatient_server() as server:
        yield server
