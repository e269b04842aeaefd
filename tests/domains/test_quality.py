"""Judging partitions: known groups are seen, measures agree with their definitions, and nothing hangs on chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from dplass_cli.domains.features import unit
from dplass_cli.domains.quality import Quality, choose, qualities, quality
from dplass_cli.options.partition_options import Method

Points = npt.NDArray[np.float64]


def _groups(count: int, each: int = 15, spread: float = 0.15) -> tuple[Points, npt.NDArray[np.int64]]:
    random = np.random.default_rng(3)
    truth = np.repeat(np.arange(count), each)
    return unit(random.normal(size=(count, 24))[truth] + random.normal(0, spread, (len(truth), 24))), truth


@pytest.mark.parametrize("method", ["kmeans", "spherical-kmeans", "agglomerative"])
def test_the_number_of_groups_is_found(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.domains.quality.NUMBERS", range(3, 8))
    if method == "spherical-kmeans":
        pytest.importorskip("faiss")
    points, _ = _groups(5, 10)
    rows = qualities(points, None, method, seed=42, also=20)
    assert [row.domains for row in rows] == [*range(3, 8), 20]
    assert choose(rows) == 5
    five = rows[2]
    assert five.seeds == pytest.approx(1.0)
    assert five.bootstrap is not None
    assert five.bootstrap > 0.95
    assert rows == qualities(points, None, method, seed=42, also=20)


def test_measures_of_a_square_by_hand() -> None:
    points = np.array([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0]])
    far = (3 + np.sqrt(10)) / 2
    found = quality(points, np.array([0, 0, 1, 1]), seed=0)
    assert found.domains == 2
    assert found.silhouette == pytest.approx((far - 1) / far)
    assert found.davies_bouldin == pytest.approx((0.5 + 0.5) / 3)
    assert found.within_between == pytest.approx(1 / far)


def test_one_domain_or_all_apart_cannot_be_judged() -> None:
    points, _ = _groups(3, 2)
    for labels in (np.zeros(6, np.int64), np.arange(6)):
        assert quality(points, labels, seed=0).silhouette is None


def test_numbers_stop_where_captions_end() -> None:
    points, _ = _groups(4, 1)
    assert [row.domains for row in qualities(points, None, "kmeans", seed=0)] == [2, 3]
    assert qualities(points[:2], None, "kmeans", seed=0) == []


def test_stable_numbers_win_over_good_looks() -> None:
    def row(domains: int, silhouette: float, seeds: float, bootstrap: float | None) -> Quality:
        return Quality(domains, silhouette, 1.0, 0.5, seeds, bootstrap)

    assert choose([row(2, 0.3, 1.0, 0.9), row(3, 0.5, 0.9, 0.8), row(4, 0.9, 1.0, 0.6)]) == 3
    assert choose([row(2, 0.3, 0.5, 0.6), row(3, 0.5, 0.7, 0.7), row(4, 0.9, 1.0, None)]) == 3
    assert choose([row(2, 0.5, 1.0, 1.0), row(3, 0.5, 1.0, 1.0)]) == 2
