"""Verbs on shards: embed, partition, train and evaluate, from disk and from a server that fails at times."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer
from small_corpus import losses, options
from small_shards import impatient_server, own_store

from dplass_cli.data.manifest import read_manifest, row_item
from dplass_cli.options.embed_options import EmbedOptions
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_options import MixturesOptions, ShardsOptions
from dplass_cli.pipelines.embed import embed
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.prepare import mixtures, shards
from dplass_cli.pipelines.train import train


@pytest.fixture(scope="module")
def sharded(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus in six shards of three clips."""
    folder = tmp_path_factory.mktemp("sharded")
    made = shards(ShardsOptions(corpus / "train.json", folder, size="450kB", convert="32k-mono-wav"))
    assert made.shards == 6
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    with impatient_server() as server, own_store(tmp_path / "cache"):
        yield server


@pytest.fixture
def remote(server: FileServer, sharded: Path) -> Path:
    """The address of the shards."""
    return server.serve(sharded, f"sharded-{server.url[-5:]}")


def test_embeddings_are_those_of_the_single_files(corpus: Path, remote: Path, tmp_path: Path) -> None:
    embed(EmbedOptions(manifest=corpus / "train.json", output=tmp_path / "files"))
    result = embed(EmbedOptions(manifest=remote / "manifest.json", output=tmp_path / "shards"))
    assert (result.embedded, result.failed, result.complete) == (18, {}, True)
    vectors = {}
    for name, manifest in (("files", corpus / "train.json"), ("shards", remote / "manifest.json")):
        rows = np.load(tmp_path / name / "rows.npy")
        (file,) = (tmp_path / name).glob("*/vectors.f32")
        table = np.fromfile(file, np.float32).reshape(18, -1)[rows]
        vectors[name] = {row.id: vector for row, vector in zip(read_manifest(manifest), table, strict=True)}
    for id, vector in vectors["files"].items():
        np.testing.assert_allclose(vectors["shards"][id], vector, atol=1e-6)


def test_embed_fetches_each_shard_once(server: FileServer, remote: Path, tmp_path: Path) -> None:
    embed(EmbedOptions(manifest=remote / "manifest.json", output=tmp_path / "embeddings"))
    requests = {path: count for path, count in server.requests.items() if path.endswith(".tar")}
    assert len(requests) == 6
    assert set(requests.values()) == {1}


def test_known_embeddings_need_no_shard(server: FileServer, remote: Path, tmp_path: Path) -> None:
    given = EmbedOptions(manifest=remote / "manifest.json", output=tmp_path / "embeddings")
    embed(given)
    server.requests.clear()
    assert embed(given).embedded == 0
    assert not any(path.endswith(".tar") for path in server.requests)


def test_embed_leaves_out_the_clips_of_a_bad_shard(server: FileServer, remote: Path, tmp_path: Path) -> None:
    del server.files[f"/{remote.name}/clips-000002.tar"]
    server.corrupt[f"/{remote.name}/clips-000004.tar"] = 99
    server.cut[f"/{remote.name}/clips-000005.tar"] = 1
    result = embed(EmbedOptions(manifest=remote / "manifest.json", output=tmp_path / "embeddings"))
    assert (result.embedded, len(result.failed)) == (12, 6)
    reasons = sorted(set(result.failed.values()))
    assert len(reasons) == 2
    assert reasons[0].startswith(f"{server.url}/{remote.name}/clips-000002.tar: no such file")
    assert reasons[1].startswith(f"{server.url}/{remote.name}/clips-000004.tar: its checksum differs from the index")


def test_processes_embed_shards_of_their_own(
    server: FileServer, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        with own_store(tmp_path / f"cache{rank}"):  # as on two machines
            result = embed(EmbedOptions(manifest=remote / "manifest.json", output=tmp_path / "embeddings"))
    assert result.complete
    assert {count for path, count in server.requests.items() if path.endswith(".tar")} == {1}


@pytest.mark.slow
def test_training_and_evaluation_from_a_server_equal_those_from_disk(
    corpus: Path, sharded: Path, remote: Path, server: FileServer, tmp_path: Path
) -> None:
    server.cut[f"/{remote.name}/clips-000001.tar"] = 2
    scores = []
    for name, folder in (("disk", sharded), ("server", remote)):
        place = tmp_path / name
        partition(PartitionOptions(folder / "manifest.json", place / "partition", domains=3, val_mixtures=2))
        given = replace(options(corpus, place / "run", epochs=1), partition=place / "partition", domain="1")
        trained = train(given)
        assert not trained.domains[1].unreadable
        mixtures(MixturesOptions(folder / "manifest.json", place / "mixtures.csv", count=2))
        result = evaluate(
            EvaluateOptions(
                benchmark=("custom",),
                metadata_csv=place / "mixtures.csv",
                output=place / "evaluation",
                select=("base",),
                base_checkpoint=str(corpus / "base.safetensors"),
                encoder="tiny",
                device="cpu",
                report=False,
            )
        )
        assert result is not None
        with open(place / "evaluation" / "items.csv", newline="") as stream:
            next(stream)  # what the scores depend on
            scores.append(
                (losses(place / "run", "domain1"), [(row["sha256"], row["sdri"]) for row in csv.DictReader(stream)])
            )
    assert scores[0] == scores[1]
    assert row_item(read_manifest(tmp_path / "server" / "partition" / "domain1.json")[0])["wav"].startswith("http://")


@pytest.mark.slow
def test_training_counts_a_bad_shard_once(corpus: Path, remote: Path, server: FileServer, tmp_path: Path) -> None:
    partition(PartitionOptions(remote / "manifest.json", tmp_path / "partition", domains=3, val_mixtures=1))
    validated = (tmp_path / "partition" / "val1.csv").read_text()
    shards = [row.wav.parent.name for row in read_manifest(tmp_path / "partition" / "domain1.json")]
    bad = next(name for name in shards if name not in validated)
    server.corrupt[f"/{remote.name}/{bad}"] = 999
    given = replace(options(corpus, tmp_path / "run", epochs=1), partition=tmp_path / "partition", domain="1")
    with own_store(tmp_path / "other"):  # which has no copy from partition
        trained = train(given).domains[1]
    assert list(trained.unreadable) == [f"{server.url}/{remote.name}/{bad}"]
