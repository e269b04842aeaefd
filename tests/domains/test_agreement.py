"""Agreement of two partitions, and of two groupings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.domains.agreement import adjusted_rand, compare, mutual_information
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.errors import InputError

Groups = tuple[tuple[str, ...], ...]

GROUPS: Groups = (
    ("a dog barking", "a puppy", "dogs growling"),
    ("rain falling", "heavy rain", "drizzle"),
    ("a siren",),
)
MOVED: Groups = (("rain falling", "heavy rain", "a puppy"), ("a dog barking", "dogs growling"), ("a siren", "a horn"))


def partition_of(groups: Groups) -> Partition:
    """A partition with the domain ids 0, 3, 6 …; comparing does not look at its centroids."""
    domains = tuple(Domain(3 * n, group[0], group, len(group)) for n, group in enumerate(groups))
    centroids = torch.eye(len(groups))
    return Partition(domains, centroids, centroids.clone(), "any", "0")


def test_matching_domains_have_most_captions_in_common_and_others_moved() -> None:
    found = compare(partition_of(GROUPS), partition_of(MOVED))
    assert found.captions == 6
    assert found.matched == {0: 3, 3: 0, 6: 6}
    assert found.moved == {"a puppy": (0, 0)}
    assert (found.only_first, found.only_second) == (("drizzle",), ("a horn",))
    assert 0.0 < found.adjusted_rand < 1.0
    assert 0.0 < found.mutual_information < 1.0


def test_the_order_of_domains_does_not_matter() -> None:
    same = compare(partition_of(GROUPS), partition_of(GROUPS[::-1]))
    assert (same.adjusted_rand, same.moved) == (1.0, {})
    assert same.mutual_information == pytest.approx(1.0)


def test_partitions_without_a_common_caption_are_refused() -> None:
    with pytest.raises(InputError, match="no caption in common"):
        compare(partition_of(GROUPS), partition_of((("other",),)))


def test_the_command_compares_two_folders(tmp_path: Path) -> None:
    for name, groups in (("one", GROUPS), ("two", MOVED)):
        partition_of(groups).save(tmp_path / name)
    done = CliRunner().invoke(app, ["domains", "compare", str(tmp_path / "one"), str(tmp_path / "two")])
    assert "6 captions: adjusted Rand" in done.stdout
    assert "1 captions are in the first partition only" in done.stderr


@pytest.mark.parametrize(("count", "kinds"), [(60, 3), (300, 9), (12, 1)])
def test_indices_equal_scikit_learn(count: int, kinds: int) -> None:
    random = np.random.default_rng(count)
    one, other = random.integers(kinds, size=count), random.integers(kinds, size=count)
    assert adjusted_rand(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)
    assert mutual_information(one, other) == pytest.approx(normalized_mutual_info_score(one, other), abs=1e-12)
    assert adjusted_rand(one, one) == pytest.approx(1.0)
    assert mutual_information(one, one) == pytest.approx(1.0)


def test_groupings_into_many_small_groups_cause_no_warning() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(60, size=80), random.integers(60, size=80)
    assert -1.0 < adjusted_rand(one, other) < 1.0
    assert 0.0 < mutual_information(one, other) < 1.0
