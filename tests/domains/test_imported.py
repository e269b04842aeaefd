"""Published partitions keep their ids; captions find their domain by name, else by feature."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.domains.features import CaptionFeatures
from dplass_cli.domains.imported import assign, read_categories
from dplass_cli.errors import InputError

PUBLISHED = {
    "cluster7": {"cluster_id": 7, "categories_count": 1, "categories_in_cluster": ["Piano"]},
    "cluster3": {"cluster_id": 3, "categories_count": 2, "categories_in_cluster": ["Bark", "Waves, surf"]},
    "cluster4": {"cluster_id": 4, "categories_count": 1, "categories_in_cluster": ["Speech"]},
}


def _file(folder: Path, content: Any) -> Path:
    path = folder / "clusters.json"
    path.write_text(json.dumps(content))
    return path


def _features(captions: tuple[str, ...], audio: list[list[float]]) -> CaptionFeatures:
    vectors = np.array(audio)
    return CaptionFeatures(captions, np.ones(len(captions), np.int64), vectors, vectors[::-1])


def test_ids_are_kept_and_strangers_go_to_the_nearest_domain(tmp_path: Path) -> None:
    path = _file(tmp_path, PUBLISHED)
    domains = read_categories(path)
    assert list(domains) == [3, 4, 7]
    features = _features(("WAVES, SURF", "murmur", "speech"), [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    ids, unmatched, clipless = assign(features, domains, path)
    assert ids.tolist() == [3, 4, 4]
    assert unmatched == ("murmur",)
    assert clipless == {3: ("Bark",), 4: (), 7: ("Piano",)}


def test_no_common_caption_is_an_error(tmp_path: Path) -> None:
    path = _file(tmp_path, PUBLISHED)
    with pytest.raises(InputError, match=r"none of its categories .*Bark.*is a caption of the manifest \(hum\)"):
        assign(_features(("hum",), [[1.0, 0.0]]), read_categories(path), path)


def test_the_published_file(real_data: Path) -> None:
    domains = read_categories(real_data / "benchmarks" / "dplass_category_clusters.json")
    assert [len(domains[id]) for id in range(7)] == [69, 90, 61, 73, 86, 80, 68]
    assert len({name for names in domains.values() for name in names}) == 527


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "not a partition"),
        ({}, "not a partition"),
        ({"cluster0": ["Bark"]}, "'cluster0' is not an object"),
        ({"cluster0": {"categories_in_cluster": ["Bark"]}}, "no 'cluster_id'"),
        ({"cluster0": {"cluster_id": 0}}, "no 'categories_in_cluster'"),
        ({"cluster0": {"cluster_id": "0", "categories_in_cluster": ["Bark"]}}, "whole number"),
        ({"cluster0": {"cluster_id": 10**20, "categories_in_cluster": ["Bark"]}}, "whole number from 0 to 1000000"),
        ({"cluster0": {"cluster_id": 0, "categories_in_cluster": "Bark"}}, "list of texts"),
        ({"cluster0": {"cluster_id": 0, "categories_in_cluster": []}}, "no categories"),
        ({k: {"cluster_id": 0, "categories_in_cluster": [k]} for k in "ab"}, "repeats the 'cluster_id' 0"),
        (
            {str(k): {"cluster_id": k, "categories_in_cluster": [name]} for k, name in enumerate(("Bark", "bark"))},
            "in domain 0 and in domain 1",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_categories(_file(tmp_path, content))


def test_captions_match_by_the_names_of_their_labels_too(tmp_path: Path) -> None:
    path = _file(tmp_path, PUBLISHED)
    features = _features(("a hound", "a shore", "talk", "hum"), [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.1, 1.0]])
    labels = {
        "a hound": Counter({"bark": 3, "Speech": 2}),
        "a shore": Counter({"Speech": 1, "Waves, surf": 1}),
        "talk": Counter({"Speech": 4, "Unheard of": 9}),
        "hum": Counter({"Unheard of": 1}),
    }
    ids, unmatched, _ = assign(features, read_categories(path), path, labels=labels)
    assert ids.tolist() == [3, 3, 4, 4]
    assert unmatched == ("hum",)
