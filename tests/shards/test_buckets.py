"""Shards in a bucket: s3fs against moto's local S3. Runs where both are installed, which no extra for tests demands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from small_shards import own_store, tones

from dplass_cli.audio.reading import read_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.options.prepare_options import ShardsOptions
from dplass_cli.pipelines.prepare import shards
from dplass_cli.shards import remote_files
from dplass_cli.shards.shard_store import ShardError, shard_store

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The address of an empty bucket."""
    server = moto_server.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"endpoint_url": f"http://{host}:{port}", "key": "test", "secret": "test"}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    monkeypatch.setattr(remote_files, "FIRST_WAIT", 0.001)
    remote_files.file_system.cache_clear()
    fsspec.filesystem("s3").mkdir(f"clips-{port}")  # servers of a process have the same buckets
    with own_store(tmp_path / "cache"):
        yield Path(f"s3://clips-{port}/audio")
    remote_files.file_system.cache_clear()
    server.stop()


def test_shards_are_written_to_a_bucket_and_read_from_it(bucket: Path, tmp_path: Path) -> None:
    rows = {row.id: row for row in tones(tmp_path)}
    given = ShardsOptions(tmp_path / "train.json", bucket, size="50kB", convert="32k-mono-wav")
    assert shards(given).written == 4
    assert shards(given).written == 0
    found = read_manifest(bucket / "manifest.json")
    shard_store().expect(dict.fromkeys(row.wav.parent for row in found[:6]))  # the others are read clip by clip
    for row in found:
        assert np.array_equal(read_audio(row.wav)[0], read_audio(rows[row.id].wav)[0])


def test_a_shard_that_is_missing_in_the_bucket_is_named_and_written_again(bucket: Path, tmp_path: Path) -> None:
    tones(tmp_path)
    given = ShardsOptions(tmp_path / "train.json", bucket, size="50kB", convert="32k-mono-wav")
    shards(given)
    row = read_manifest(bucket / "manifest.json")[0]
    fsspec.filesystem("s3").rm(f"{bucket.parts[1]}/audio/{row.wav.parent.name}")
    with pytest.raises(ShardError, match=r"/audio/clips-000000\.tar: no such file"):
        read_audio(row.wav)
    assert shards(given).written == 1
