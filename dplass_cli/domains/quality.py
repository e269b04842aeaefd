"""How good a partition is, and how many domains the captions ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from sklearn.metrics import davies_bouldin_score, pairwise_distances, silhouette_score
from threadpoolctl import threadpool_limits

from dplass_cli.domains.agreement import adjusted_rand
from dplass_cli.domains.clustering import distinct_points
from dplass_cli.domains.features import FloatArray, IntArray
from dplass_cli.domains.methods import Method, group
from dplass_cli.storage import Progress, no_progress

NUMBERS = range(2, 16)
STABLE = 0.75  # Hennig, "Cluster-wise assessment of cluster stability", 2007, takes it as the least of a stable cluster
_SEEDS = 5
_BOOTSTRAPS = 10
_MOST_JUDGED = 2_000  # captions; distances of all pairs are needed, and hundreds of clusterings


@dataclass(frozen=True)
class Quality:
    """How well a number of domains fits, by Euclidean distances of the captions' features.

    Attributes:
        domains: how many.
        silhouette: mean over captions, -1 … 1, more is better (Rousseeuw, 1987).
        davies_bouldin: from 0 on, less is better (Davies and Bouldin, 1979).
        within_between: mean distance of captions in one domain over that of captions in different ones; less is better.
        seeds: mean adjusted Rand index between clusterings from five seeds; 1 is perfectly stable. None if not judged.
        bootstrap: mean adjusted Rand index between the clustering and those of ten bootstrap samples, on the captions
            sampled. None if not judged.
    """

    domains: int
    silhouette: float | None
    davies_bouldin: float | None
    within_between: float | None
    seeds: float | None = None
    bootstrap: float | None = None


def judged(points: FloatArray, seed: int) -> IntArray:
    """The positions int64 (M,) of the points that are judged: all of them, or 2,000 by chance, in their order."""
    if len(points) <= _MOST_JUDGED:
        return np.arange(len(points))
    chosen = np.random.default_rng(seed).choice(len(points), _MOST_JUDGED, replace=False)
    return np.sort(chosen).astype(np.int64)


def quality(points: FloatArray, labels: IntArray, seed: int) -> Quality:
    """Judge one clustering: points float64 (N, D), labels int64 (N,). Measures need two domains and a pair in one."""
    chosen = judged(points, seed)
    domains = len(np.unique(labels))
    points, labels = points[chosen], labels[chosen]
    present = len(np.unique(labels))
    if not 2 <= present < len(points):
        return Quality(domains, None, None, None)
    with threadpool_limits(limits=1):
        distances = pairwise_distances(points)
        pairs = ~np.eye(len(points), dtype=bool)
        same = labels[:, None] == labels[None, :]
        between = distances[~same].mean()
        return Quality(
            domains,
            silhouette=float(silhouette_score(distances, labels, metric="precomputed")),
            davies_bouldin=float(davies_bouldin_score(points, labels)),
            within_between=float(distances[same & pairs].mean() / between) if between > 0 else None,
        )


def qualities(
    points: FloatArray,
    weights: FloatArray | None,
    method: Method,
    seed: int,
    also: int | None = None,
    progress: Progress = no_progress,
) -> list[Quality]:
    """Judge 2 … 15 domains, as far as there are more different points.

    Args:
        points: float64 (N, D), in an order that depends on the data alone. weights: float64 (N,), or None.
        method: with which they are clustered; ``hdbscan`` has a number of its own and can't be asked this.
        also: another number to judge.
    """
    chosen = judged(points, seed)
    points, weights = points[chosen], None if weights is None else weights[chosen]
    most = distinct_points(points) - 1
    numbers = [number for number in sorted({*NUMBERS, also or NUMBERS[0]}) if 2 <= number <= most]
    rows = []
    for done, number in enumerate(numbers):
        progress(done, len(numbers), "judging numbers of domains")
        rows.append(_judge(points, weights, method, number, seed))
    progress(len(numbers), len(numbers), "judging numbers of domains")
    return rows


def _judge(points: FloatArray, weights: FloatArray | None, method: Method, domains: int, seed: int) -> Quality:
    labels = [group(method, points, weights, domains, seed + turn) for turn in range(_SEEDS)]
    agreements = [adjusted_rand(one, other) for one, other in combinations(labels, 2)]
    return replace(
        quality(points, labels[0], seed),
        domains=domains,
        seeds=float(np.mean(agreements)),
        bootstrap=_bootstrap(points, weights, method, labels[0], domains, seed),
    )


def _bootstrap(
    points: FloatArray, weights: FloatArray | None, method: Method, labels: IntArray, domains: int, seed: int
) -> float | None:
    """Mean agreement with clusterings of samples drawn with replacement; a caption drawn twice weighs twice."""
    agreements = []
    for turn in range(_BOOTSTRAPS):
        drawn = np.random.default_rng([seed, turn]).integers(len(points), size=len(points))
        sample, times = np.unique(drawn, return_counts=True)
        if distinct_points(points[sample]) <= domains:  # such a sample could only be taken apart
            continue
        weighted = None if method == "agglomerative" else times * (1.0 if weights is None else weights[sample])
        found = group(method, points[sample], weighted, domains, seed)
        agreements.append(adjusted_rand(labels[sample], found))
    return float(np.mean(agreements)) if agreements else None


def choose(rows: Sequence[Quality]) -> int:
    """The number of domains with the best silhouette among the stable ones (both stabilities from 0.75 on).

    Where none is stable, it is the most stable one. Among equals the smaller number is chosen.
    """
    assert rows
    stable = [row for row in rows if _stability(row) >= STABLE]
    if stable:
        return max(stable, key=lambda row: (row.silhouette or 0.0, -row.domains)).domains
    return max(rows, key=lambda row: (_stability(row), -row.domains)).domains


def _stability(row: Quality) -> float:
    return min(-1.0 if value is None else value for value in (row.seeds, row.bootstrap))
