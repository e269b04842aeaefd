"""Training samples whose clips are in shards: a pure function of (seed, number), from few shards at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from file_server import FileServer
from small_shards import impatient_server, own_store, tone_shards

from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.ontology import kinds_of
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.options.data_settings import DataSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone_shards(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with impatient_server() as server, own_store(tmp_path / "cache"):
        yield server


def samples_of(folder: Path, together: int = 2, streams: int = 1) -> TrainingSamples:
    sources = [
        SourceClip(row, kinds_of([f"kind {number}"]), (0,))
        for number, row in enumerate(sorted(read_manifest(folder / "manifest.json"), key=lambda row: row.id))
    ]
    settings = DataSettings(segment_seconds=0.2, shards_together=together, shard_streams=streams)
    return TrainingSamples(sources, {0: sources}, torch.eye(1), settings, seed=3)


def shards_in(samples: TrainingSamples, number: int) -> set[str]:
    described = samples.describe(number)
    return {Path(clip["wav"]).parent.name for clip in (described["target"], *described["interferers"])}


def test_a_sample_depends_on_seed_and_number_alone(folder: Path) -> None:
    samples = samples_of(folder)
    forward = [samples[number] for number in range(24)]
    backward = [samples_of(folder)[number] for number in reversed(range(24))][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert torch.equal(one.target, other.target)
        assert torch.equal(one.interferers, other.interferers)


def test_a_sample_mixes_clips_of_one_group(folder: Path) -> None:
    samples = samples_of(folder, together=1)
    for first in range(0, 24, 3):
        assert len(set.union(*(shards_in(samples, number) for number in range(first, first + 3)))) == 1


def test_each_of_two_processes_reads_half_of_the_shards(folder: Path) -> None:
    samples = samples_of(folder, together=2, streams=2)
    read = [set.union(*(shards_in(samples, number) for number in range(rank, 12, 2))) for rank in range(2)]
    assert [len(own) for own in read] == [2, 2]
    assert not read[0] & read[1]


def test_samples_from_a_server_equal_those_from_disk(folder: Path, server: FileServer) -> None:
    place = server.serve(folder, f"samples-{server.url[-5:]}")
    server.cut[f"/{place.name}/clips-000001.tar"] = 1
    local, remote = samples_of(folder), samples_of(place)
    for number in range(12):
        assert torch.equal(local[number].target, remote[number].target)
        assert torch.equal(local[number].interferers, remote[number].interferers)
    assert sum(server.requests[f"/{place.name}/clips-{number:06d}.tar"] for number in range(4)) == 5


def test_a_bad_shard_counts_once(folder: Path, server: FileServer) -> None:
    place = server.serve(folder, f"samples-{server.url[-5:]}")
    server.corrupt[f"/{place.name}/clips-000001.tar"] = 999
    samples = samples_of(place)
    unreadable = dict(entry for number in range(12) for entry in samples[number].unreadable)
    assert list(unreadable) == [f"{server.url}/{place.name}/clips-000001.tar"]
    assert "its checksum differs from the index" in next(iter(unreadable.values()))
