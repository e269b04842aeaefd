"""The steps of a partition: grouping, judging numbers of domains, and the files of its folder."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.data.mixture_tables import Mixture, read_mixtures
from dplass_cli.domains.features import CaptionFeatures, unit
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.domains.partitioning import (
    check_captions,
    group_captions,
    imbalance_warnings,
    judge_numbers,
    labels_by_caption,
    quality_of,
    refuse_own_files,
    rows_by_domain,
    write_domain_files,
)
from dplass_cli.domains.quality import Quality
from dplass_cli.domains.validation import Split
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import PartitionOptions


def options(domains: int | Literal["auto"], **more: Any) -> PartitionOptions:
    return PartitionOptions(Path("train.json"), Path("partition"), domains=domains, seed=0, **more)


def features_of_groups(count: int = 3, each: int = 6) -> CaptionFeatures:
    random = np.random.default_rng(1)
    truth = np.repeat(np.arange(count), each)
    vectors = unit(np.eye(max(count, 8))[truth] + random.normal(0, 0.05, (len(truth), max(count, 8))))
    captions = tuple(f"caption {number:02}" for number in range(len(truth)))
    return CaptionFeatures(captions, np.ones(len(truth), np.int64), vectors, vectors[::-1].copy())


def partition_of(sizes: dict[int, tuple[int, int]]) -> Partition:
    """A partition of {id: (captions, clips)}."""
    domains = tuple(
        Domain(id, f"name {id}", tuple(f"{id}-{n}" for n in range(captions)), clips)
        for id, (captions, clips) in sizes.items()
    )
    return Partition(domains, torch.eye(len(sizes)), torch.eye(len(sizes)), "any", "0")


def test_captions_are_grouped_by_the_wanted_features() -> None:
    features = features_of_groups()
    assert group_captions(features, options(3), ()).tolist() == [0] * 6 + [1] * 6 + [2] * 6
    text = options(3, features="text")
    assert Counter(group_captions(features, text, ()).tolist()) == {0: 6, 1: 6, 2: 6}


def test_auto_takes_the_best_number_of_domains() -> None:
    auto = options("auto")
    features = features_of_groups()
    numbers = judge_numbers(features, auto)
    assert [row.domains for row in numbers][:3] == [2, 3, 4]
    assert len(set(group_captions(features, auto, numbers).tolist())) == 3


def test_a_number_outside_the_judged_range_is_judged_too() -> None:
    numbers = judge_numbers(features_of_groups(4, 5), options(17))
    assert numbers[-1].domains == 17


def test_hdbscan_has_no_numbers_to_judge() -> None:
    assert judge_numbers(features_of_groups(), options("auto", method="hdbscan")) == ()


def test_auto_needs_three_different_features() -> None:
    two = CaptionFeatures(("a", "b"), np.ones(2, np.int64), np.eye(2), np.eye(2))
    auto = options("auto")
    with pytest.raises(InputError, match="--domains auto needs captions with at least 3 different features"):
        judge_numbers(two, auto)
    with pytest.raises(InputError, match="--domains auto needs at least 3 distinct captions, but the manifest has 2"):
        check_captions(auto, 2)


def test_the_stability_of_a_partition_is_that_of_its_number_of_domains() -> None:
    judged = Quality(3, 0.1, 0.2, 0.3, seeds=0.9, bootstrap=0.8)
    features = features_of_groups()
    found = quality_of(features, options(3), np.repeat(np.arange(3), 6), [Quality(2, None, None, None), judged])
    assert (found.domains, found.seeds, found.bootstrap) == (3, 0.9, 0.8)
    assert found.silhouette is not None
    assert found.silhouette > 0.5
    assert quality_of(features, options(3), np.repeat(np.arange(3), 6), ()).seeds is None


def test_clips_are_counted_by_caption_and_label_name() -> None:
    rows = [Row(Path("1.wav"), "a", ("/m/x", "/m/y")), Row(Path("2.wav"), "a", ("/m/x",)), Row(Path("3.wav"), "b")]
    assert labels_by_caption(rows, {"/m/x": "Dog"}) == {"a": {"Dog": 2, "/m/y": 1}, "b": {}}


def test_rows_keep_their_order_within_a_domain() -> None:
    rows = [Row(Path(f"{n}.wav"), caption) for n, caption in enumerate("abab")]
    found = rows_by_domain(rows, "ab", np.array([5, 2]), partition_of({2: (1, 2), 5: (1, 2), 9: (1, 0)}))
    assert found == {2: [rows[1], rows[3]], 5: [rows[0], rows[2]], 9: []}


def test_files_of_an_earlier_partition_are_removed_and_others_are_kept(tmp_path: Path) -> None:
    for name in ("partition.json", "domain9.json", "val9.csv", "quality.png", "notes.txt", "domains.json"):
        (tmp_path / name).write_text("earlier")
    row, noise = Row(tmp_path / "a.wav", "x", id="a"), Row(tmp_path / "b.wav", "y", id="b")
    write_domain_files(tmp_path, Split({0: [row]}, {0: [row]}), {0: [Mixture(row, noise)]}, ())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["domain0.json", "domains.json", "notes.txt", "val0.csv"]
    assert read_manifest(tmp_path / "domain0.json") == [row]
    assert [mixture.noise.wav for mixture in read_mixtures(tmp_path / "val0.csv")] == [noise.wav]


def test_judged_numbers_are_written_as_a_table(tmp_path: Path) -> None:
    numbers = [Quality(2, 0.25, 1.5, None, 1.0, None), Quality(3, 0.5, 1.0, 0.75, 0.5, 0.25)]
    write_domain_files(tmp_path, Split({}, {}), {}, numbers)
    table = pd.read_csv(tmp_path / "quality.csv")
    assert list(table) == ["domains", "silhouette", "davies_bouldin", "within_between", "seeds", "bootstrap"]
    assert table["silhouette"].tolist() == [0.25, 0.5]
    assert table["bootstrap"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["domain0.json", "partition.json", "val3.csv", "quality.csv"])
def test_an_input_that_would_be_removed_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"--output .*: would overwrite the input .*{name}"):
        refuse_own_files(tmp_path, [None, tmp_path / name])
    refuse_own_files(tmp_path, [tmp_path / "train.json", tmp_path / "other" / name])


def test_a_dominant_domain_is_reported_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warnings = imbalance_warnings(partition_of({0: (5, 90), 1: (5, 10)}))
    assert len(warnings) == 1
    assert warnings[0].startswith("domain 0 has 90% of the clips; try other --features")
    assert warnings[0] in caplog.text
    assert imbalance_warnings(partition_of({0: (5, 50), 1: (5, 50)})) == []
    assert imbalance_warnings(partition_of({0: (5, 50)})) == []
