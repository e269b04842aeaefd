"""Clustering methods: each finds known groups, reproducibly, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from dplass_cli.domains.features import unit
from dplass_cli.domains.methods import check_method, group
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Method

METHODS = ["kmeans", "spherical-kmeans", "agglomerative", "hdbscan"]


def known_groups(count: int = 7, each: int = 12) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Unit vectors in separate groups, and the group of each."""
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(count), each)
    return unit(random.normal(size=(count, 32))[truth] + random.normal(0, 0.2, (count * each, 32))), truth


@pytest.mark.parametrize("method", METHODS)
def test_known_groups_are_found(method: Method) -> None:
    if method == "spherical-kmeans":
        pytest.importorskip("faiss")
    points, truth = known_groups()
    assert adjusted_rand_score(truth, group(method, points, None, 7, 42)) >= 0.99


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_threads_does_not_matter(method: Method) -> None:
    if method == "spherical-kmeans":
        pytest.importorskip("faiss")
    points, _ = known_groups()
    with threadpool_limits(limits=2):
        labels = group(method, points, None, 7, 42)
    np.testing.assert_array_equal(labels, group(method, points, None, 7, 42))


@pytest.mark.parametrize("method", ["kmeans", "spherical-kmeans"])
def test_heavy_points_draw_the_groups(method: Method) -> None:
    if method == "spherical-kmeans":
        pytest.importorskip("faiss")
    angles = np.array([0.0, 0.1, 1.5])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    light, heavy = (group(method, points, weights, 2, 0) for weights in (None, np.array([1e6, 1e6, 1.0])))
    assert light[0] == light[1] != light[2]
    assert heavy[0] != heavy[1] == heavy[2]


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_methods_without_weights_refuse_them(method: Method) -> None:
    with pytest.raises(InputError, match=f"--method {method} weighs all captions the same; omit --weight clips"):
        check_method(method, weighted=True)
    check_method(method, weighted=False)


def test_hdbscan_assigns_noise_to_the_nearest_group() -> None:
    points, _ = known_groups(3)
    strays = unit(np.random.default_rng(5).normal(size=(4, 32)))
    assert set(group("hdbscan", np.concatenate((points, strays)), None, 7, 0).tolist()) == {0, 1, 2}


def test_hdbscan_says_when_there_are_no_groups() -> None:
    with pytest.raises(InputError, match="hdbscan found no separate group of 5 captions or more"):
        group("hdbscan", np.eye(8), None, 7, 0)


def test_agglomerative_clustering_refuses_too_many_points() -> None:
    with pytest.raises(InputError, match="compares all pairs of captions, and 20001 are too many"):
        group("agglomerative", np.zeros((20_001, 1)), None, 2, 0)
