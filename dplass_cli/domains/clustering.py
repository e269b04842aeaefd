"""Clustering captions by their features, with domain ids that do not depend on the machine.

A method is a row of :data:`METHODS`: (points float64 (N, D), weights float64 (N,) or None, number of groups, seed) ->
labels int64 (N,), starting at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
from threadpoolctl import threadpool_limits

from dplass_cli.domains.features import FloatArray, IntArray, similarities, unit
from dplass_cli.errors import InputError, first_line
from dplass_cli.options.partition_options import Method

STARTS = 10
MIN_CLUSTER_SIZE = 5
_MAX_AGGLOMERATED = 20_000
_ITERATIONS = 100
_DECIMALS = 9  # features that agree to this precision count as one point


def cluster(
    features: FloatArray,
    captions: Sequence[str],
    clips: IntArray,
    domains: int,
    seed: int,
    by_clips: bool = False,
    method: Method = "kmeans",
) -> IntArray:
    """Cluster C distinct captions with features float64 (C, D) into domains: the domain id int64 (C,) of each.

    Domain 0 has the most clips, and so on; ties go to the domain with the alphabetically first caption. The result does
    not depend on the order of the captions.

    Args:
        clips: int64 (C,), the number of clips of each caption.
        domains: the number of domains; ``hdbscan`` finds its own.
        by_clips: a caption weighs as many clips as it has; otherwise all captions weigh the same, as published.

    Raises:
        InputError: there are fewer captions, or captions with different features, than domains; or the method does not
            accept the captions.
    """
    order = sorted(range(len(captions)), key=lambda position: captions[position])
    points = np.asarray(features, dtype=np.float64)[order]
    if method != "hdbscan":
        check_enough(len(captions), domains)
        if (distinct := distinct_points(points)) < domains:
            raise InputError(
                f"{domains} domains need captions with at least {domains} different features, but there are {distinct}"
                f" (the other captions share their clips); give --domains {distinct} or fewer, or other --features"
            )
    weights = clips[order].astype(np.float64) if by_clips else None
    labels = group(method, points, weights, domains, seed)
    ids = np.empty(len(order), dtype=np.int64)
    ids[order] = _canonical(labels, clips[order])
    return ids


def check_enough(captions: int, domains: int) -> None:
    """Refuse fewer distinct captions than domains."""
    if captions < domains:
        raise InputError(
            f"{domains} domains need at least {domains} distinct captions, but the manifest has {captions};"
            f" give --domains {captions} or fewer, or add captions"
        )


def distinct_points(points: FloatArray) -> int:
    """Count points (N, D) that differ by more than rounding."""
    return len(np.unique(points.round(_DECIMALS), axis=0))


def _canonical(labels: IntArray, clips: IntArray) -> IntArray:
    """Renumber the labels (C,) of alphabetically sorted captions: most clips first, then the first caption first."""
    _, first, groups = np.unique(labels, return_index=True, return_inverse=True)
    ranked = np.lexsort((first, -np.bincount(groups, weights=clips)))
    renamed: IntArray = np.argsort(ranked)[groups]
    return renamed


def check_method(method: Method, weighted: bool) -> None:
    """Refuse weights that a method does not support, and a method whose library is not installed."""
    if weighted and method in ("agglomerative", "hdbscan"):
        raise InputError(f"--method {method} weighs all captions the same; omit --weight clips, or use --method kmeans")
    if method == "spherical-kmeans" and find_spec("faiss") is None:
        raise InputError("--method spherical-kmeans needs faiss; install it with: pip install 'dplass[clusters]'")


def group(method: Method, points: FloatArray, weights: FloatArray | None, domains: int, seed: int) -> IntArray:
    """Group points by a method, on one thread, because the order of sums could move a point to another group.

    Raises:
        InputError: the method does not support weights or so many points, finds no groups, or its library is not
            installed.
    """
    check_method(method, weights is not None)
    with threadpool_limits(limits=1):
        return METHODS[method](points, weights, domains, seed)


def kmeans(points: FloatArray, weights: FloatArray | None, domains: int, seed: int) -> IntArray:
    """K-means, the best of ten starts (scikit-learn)."""
    from sklearn.cluster import KMeans

    return _labels(KMeans(domains, n_init=STARTS, random_state=seed).fit_predict(points, sample_weight=weights))


def spherical_kmeans(points: FloatArray, weights: FloatArray | None, domains: int, seed: int) -> IntArray:
    """K-means by cosine with centroids on the unit sphere, the best of ten starts (Dhillon and Modha, 2001; faiss)."""
    try:
        import faiss
    except ImportError as error:
        raise InputError(f"--method spherical-kmeans: faiss does not start ({first_line(error)})") from error
    from sklearn.cluster import kmeans_plusplus

    vectors = np.ascontiguousarray(points, dtype=np.float32)
    shares = np.ones(len(points)) if weights is None else weights
    best, most = _labels(np.zeros(len(points))), -np.inf
    for start in range(STARTS):
        first, _ = kmeans_plusplus(
            vectors, domains, sample_weight=shares, random_state=np.random.RandomState([seed, start])
        )
        found = faiss.Kmeans(
            vectors.shape[1],
            domains,
            niter=_ITERATIONS,
            seed=seed,
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=len(vectors),
        )
        found.train(vectors, weights=shares.astype(np.float32), init_centroids=first)
        likeness = similarities(points, np.asarray(found.centroids, dtype=np.float64))
        total = float(likeness.max(axis=1) @ shares)
        if total > most:
            best, most = _labels(likeness.argmax(axis=1)), total
    return best


def agglomerative(points: FloatArray, weights: FloatArray | None, domains: int, seed: int) -> IntArray:
    """Ward's agglomerative clustering (scikit-learn); it is deterministic."""
    from sklearn.cluster import AgglomerativeClustering

    if len(points) > _MAX_AGGLOMERATED:
        raise InputError(
            f"--method agglomerative compares all pairs of captions, and {len(points)} are too many for that"
            f" (at most {_MAX_AGGLOMERATED}); use --method kmeans"
        )
    if domains == 1:
        return np.zeros(len(points), dtype=np.int64)
    return _labels(AgglomerativeClustering(domains).fit_predict(points))


def hdbscan(points: FloatArray, weights: FloatArray | None, domains: int, seed: int) -> IntArray:
    """Density clustering (Campello et al., 2013; scikit-learn), which finds its own number of groups.

    Points that it regards as noise are assigned to the group with the nearest mean. ``domains`` and ``seed`` are not
    used.
    """
    from sklearn.cluster import HDBSCAN

    labels = _labels(np.full(len(points), -1))
    if len(points) > 1:
        labels = _labels(HDBSCAN(min_cluster_size=min(MIN_CLUSTER_SIZE, len(points)), copy=True).fit_predict(points))
    if (labels < 0).all():
        raise InputError(
            f"--method hdbscan found no separate group of {MIN_CLUSTER_SIZE} captions or more; use --method"
            " kmeans, or other --features"
        )
    means = np.stack([points[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    noise = labels < 0
    labels[noise] = similarities(points[noise], unit(means)).argmax(axis=1)
    return labels


METHODS: dict[Method, Callable[[FloatArray, FloatArray | None, int, int], IntArray]] = {
    "kmeans": kmeans,
    "spherical-kmeans": spherical_kmeans,
    "agglomerative": agglomerative,
    "hdbscan": hdbscan,
}


def _labels(found: object) -> IntArray:
    return np.asarray(found, dtype=np.int64)
