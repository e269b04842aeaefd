"""Clustering captions: known groups, canonical ids, independence of order and threads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from dplass_cli.domains.clustering import check_method, cluster, group
from dplass_cli.domains.features import unit
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Method

METHODS = ["kmeans", "spherical-kmeans", "agglomerative", "hdbscan"]
Groups = tuple[npt.NDArray[np.float64], list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _groups(count: int = 7, each: int = 12, size: int = 32) -> Groups:
    """Captions in known groups: (unit features, captions, clips, group of each)."""
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(count), each)
    features = random.normal(size=(count, size))[truth] + random.normal(0, 0.2, (count * each, size))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    captions = [f"caption {number:03}" for number in random.permutation(count * each)]
    return features, captions, random.integers(1, 50, count * each), truth


def test_seven_known_groups_are_found() -> None:
    features, captions, clips, truth = _groups()
    ids = cluster(features, captions, clips, 7, seed=42)
    assert adjusted_rand_score(truth, ids) >= 0.99


def test_order_threads_and_seed_do_not_matter_for_clear_groups() -> None:
    features, captions, clips, _ = _groups()
    ids = cluster(features, captions, clips, 7, seed=42)
    order = np.random.default_rng(1).permutation(len(captions))
    shuffled = cluster(features[order], [captions[i] for i in order], clips[order], 7, seed=42)
    np.testing.assert_array_equal(shuffled, ids[order])
    with threadpool_limits(limits=2):
        np.testing.assert_array_equal(cluster(features, captions, clips, 7, seed=42), ids)
    np.testing.assert_array_equal(cluster(features, captions, clips, 7, seed=7), ids)


def test_one_caption_is_one_domain_except_for_hdbscan() -> None:
    one = (unit(np.ones((1, 4))), ["a"], np.ones(1, np.int64))
    for method in ("kmeans", "agglomerative"):
        assert cluster(*one, 1, seed=0, method=method).tolist() == [0]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="hdbscan found no separate group"):
        cluster(*one, 1, seed=0, method="hdbscan")


@pytest.mark.parametrize("method", ["agglomerative", "hdbscan"])
def test_other_methods_do_not_depend_on_the_order_of_captions(method: Method) -> None:
    features, captions, clips, truth = _groups()
    ids = cluster(features, captions, clips, 7, seed=42, method=method)
    assert adjusted_rand_score(truth, ids) >= 0.99
    order = np.random.default_rng(1).permutation(len(captions))
    shuffled = cluster(features[order], [captions[i] for i in order], clips[order], 7, seed=42, method=method)
    np.testing.assert_array_equal(shuffled, ids[order])


def test_ids_are_ordered_by_clips_then_by_first_caption() -> None:
    features = np.array([[1.0, 0, 0], [0.99, 0.1, 0], [0, 1, 0], [0, 0, 1.0]])
    captions = ["z", "y", "c", "b"]
    assert cluster(features, captions, np.array([1, 1, 5, 2]), 3, seed=0).tolist() == [2, 2, 0, 1]
    assert cluster(features, captions, np.array([3, 2, 5, 5]), 3, seed=0).tolist() == [2, 2, 1, 0]


def test_too_few_captions_or_different_features_are_refused() -> None:
    with pytest.raises(InputError, match=r"7 domains.*has 3; give --domains 3"):
        cluster(np.eye(3), ["a", "b", "c"], np.ones(3, np.int64), 7, seed=0)
    same = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    with pytest.raises(InputError, match=r"3 different features, but there are 2"):
        cluster(same, list("abcde"), np.ones(5, np.int64), 3, seed=0)


def test_captions_weigh_the_same_or_by_their_clips() -> None:
    points, captions, clips = np.array([[0.0], [1.0], [10.0]]), list("abc"), np.array([1000, 1000, 1])
    assert cluster(points, captions, clips, 2, seed=0).tolist() == [0, 0, 1]
    # A thousand clips half a step off cost more than one clip nine steps off.
    assert cluster(points, captions, clips, 2, seed=0, by_clips=True).tolist() == [1, 0, 0]


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
