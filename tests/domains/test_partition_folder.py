"""The partition object and its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dplass_cli.domains.features import CaptionFeatures, unit
from dplass_cli.domains.partition_folder import Partition, build_partition, read_partition
from dplass_cli.errors import InputError
from dplass_cli.weights.checkpoint_files import write_safetensors


class WordEncoder:
    """Texts to one axis a first letter."""

    name = "word"
    fingerprint = "abc"
    size = 4

    def embed_text(self, sentences: list[str]) -> Tensor:
        return torch.eye(4)[["abcd".index(sentence[0]) for sentence in sentences]]

    def embed_audio(self, waveforms: Tensor, sample_rate: int) -> Tensor:
        raise AssertionError("not needed here")


@pytest.fixture
def partition() -> Partition:
    """Domains 2 (captions a1; a2) and 5 (b1), and domain 9 that has words only."""
    audio = unit(np.array([[1.0, 0.2, 0, 0], [1.0, -0.2, 0, 0], [0, 0, 1.0, 0]]))
    text = WordEncoder().embed_text(["a", "a", "b"]).double().numpy()
    features = CaptionFeatures(("a1", "a2", "b1"), np.array([3, 4, 1]), audio, text)
    ids = np.array([2, 2, 5])
    return build_partition(features, ids, WordEncoder(), "audio", {9: ("d1", "d2")}, settings={"x": 1}, seed=3)


def test_centroids_names_and_counts(partition: Partition) -> None:
    assert [(d.id, d.name, d.typical, d.captions, d.clips) for d in partition.domains] == [
        (2, "A2, a1", ("a1", "a2"), ("a1", "a2"), 7),
        (5, "B1", ("b1",), ("b1",), 1),
        (9, "D1, d2", ("d1", "d2"), ("d1", "d2"), 0),
    ]
    assert partition.audio_centroids.dtype == torch.float32
    torch.testing.assert_close(partition.audio_centroids, torch.eye(4)[[0, 2, 3]])
    torch.testing.assert_close(partition.text_centroids, torch.eye(4)[[0, 1, 3]])


def test_the_folder_gives_back_the_partition(partition: Partition, tmp_path: Path) -> None:
    partition.save(tmp_path)
    again = read_partition(tmp_path)
    assert again.domains == partition.domains
    assert torch.equal(again.audio_centroids, partition.audio_centroids)
    assert torch.equal(again.text_centroids, partition.text_centroids)
    assert (again.encoder_name, again.encoder_fingerprint) == ("word", "abc")
    assert (again.settings, again.seed, again.versions) == ({"x": 1}, 3, partition.versions)
    assert {"dplass", "numpy", "scikit-learn", "torch"} <= set(again.versions)
    content = json.loads((tmp_path / "partition.json").read_text())
    assert content["domains"][0]["counts"] == {"captions": 2, "clips": 7}


def _without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content.pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("domains"), "'domains' is missing"),
        (_without("encoder"), "'encoder' is missing"),
        (lambda c: c["encoder"].pop("fingerprint"), "'fingerprint' is missing"),
        (lambda c: c["domains"][1].pop("captions"), "'captions' is missing"),
        (lambda c: c["domains"][1].update(captions=[1]), "must be a list of texts"),
        (lambda c: c["domains"][1].update(id="5"), "'id' must be a JSON integer, not '5'"),
        (lambda c: c["domains"][1].update(id=2), r"ascending; found \[2, 2, 9\]"),
        (lambda c: c["domains"].pop(), "but partition.json has 2 domains"),
        (lambda c: c.update(domains=[7]), "a domain is not an object"),
    ],
)
def test_a_wrong_description_is_refused(
    partition: Partition, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    partition.save(tmp_path)
    content = json.loads((tmp_path / "partition.json").read_text())
    change(content)
    (tmp_path / "partition.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        read_partition(tmp_path)


def test_a_folder_that_does_not_exist_is_not_called_a_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: no such folder; check the path$"):
        read_partition(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: is a file; expected a folder$"):
        read_partition(tmp_path / "file")


def test_missing_and_damaged_files_are_refused(partition: Partition, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a partition folder"):
        read_partition(tmp_path)
    partition.save(tmp_path)
    centroids = tmp_path / "centroids.safetensors"
    write_safetensors(centroids, {"audio": partition.audio_centroids}, {})
    with pytest.raises(InputError, match="'text' is missing"):
        read_partition(tmp_path)
    write_safetensors(centroids, {"audio": torch.full((3, 4), torch.nan), "text": torch.ones(3, 4)}, {})
    with pytest.raises(InputError, match="contains NaN or infinity"):
        read_partition(tmp_path)
    centroids.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_partition(tmp_path)
    centroids.unlink()
    with pytest.raises(InputError, match=r"centroids\.safetensors: no such file; rerun 'dplass partition'"):
        read_partition(tmp_path)
    (tmp_path / "partition.json").write_text("[]")
    with pytest.raises(InputError, match="not the description of a partition"):
        read_partition(tmp_path)
