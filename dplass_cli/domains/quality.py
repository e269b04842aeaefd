"""Quality of a partition, and the number of domains that suits the captions best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from sklearn.metrics import davies_bouldin_score, pairwise_distances, silhouette_score
from threadpoolctl import threadpool_limits

from dplass_cli.domains.agreement import adjusted_rand
from dplass_cli.domains.clustering import distinct_points, group
from dplass_cli.domains.features import FloatArray, IntArray
from dplass_cli.options.partition_options import Method
from dplass_cli.storage import Progress, no_progress

NUMBERS = range(2, 16)
STABLE = 0.75  # the minimum of a stable cluster in Hennig, "Cluster-wise assessment of cluster stability", 2007
_SEEDS = 5
_BOOTSTRAPS = 10
_MAX_JUDGED = 2_000  # captions: all pairwise distances and hundreds of clusterings are computed


@dataclass(frozen=True)
class Quality:
    """Quality of a clustering, by Euclidean distances of the captions' features.

    Attributes:
        domains: number of domains.
        silhouette: mean silhouette of captions, -1 … 1, higher is better (Rousseeuw, 1987).
        davies_bouldin: Davies-Bouldin index, from 0, lower is better (Davies and Bouldin, 1979).
        within_between: mean distance within domains over mean distance between domains; lower is better.
        seeds: mean adjusted Rand index between clusterings from five seeds; 1 is perfectly stable. None if not judged.
        bootstrap: mean adjusted Rand index between the clustering and those of ten bootstrap samples, on the sampled
            captions. None if not judged.
    """

    domains: int
    silhouette: float | None
    davies_bouldin: float | None
    within_between: float | None
    seeds: float | None = None
    bootstrap: float | None = None


def judged(points: FloatArray, seed: int) -> IntArray:
    """Return the positions int64 (M,) of the points that are judged: all, or 2,000 random ones, in their order."""
    if len(points) <= _MAX_JUDGED:
        return np.arange(len(points))
    chosen = np.random.default_rng(seed).choice(len(points), _MAX_JUDGED, replace=False)
    return np.sort(chosen).astype(np.int64)


def quality(points: FloatArray, labels: IntArray, seed: int) -> Quality:
    """Measure a clustering of points float64 (N, D) into labels int64 (N,).

    The measures are None for one domain, and where no domain has two captions.
    """
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
    """Measure clusterings into 2 … 15 domains, as far as there are more distinct points than domains.

    Args:
        points: float64 (N, D), in an order that depends on the data only.
        weights: float64 (N,), or None.
        also: another number of domains to judge.
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
    """Return the mean agreement with clusterings of samples drawn with replacement (drawn twice: weight 2)."""
    agreements = []
    for turn in range(_BOOTSTRAPS):
        drawn = np.random.default_rng([seed, turn]).integers(len(points), size=len(points))
        sample, times = np.unique(drawn, return_counts=True)
        if distinct_points(points[sample]) <= domains:  # there would be one domain per point
            continue
        counted = times.astype(np.float64) * (1.0 if weights is None else weights[sample])
        weighted = None if method == "agglomerative" else counted
        found = group(method, points[sample], weighted, domains, seed)
        agreements.append(adjusted_rand(labels[sample], found))
    return float(np.mean(agreements)) if agreements else None


def choose(rows: Sequence[Quality]) -> int:
    """Return the number of domains with the best silhouette among the stable ones (both stabilities at least 0.75).

    If none is stable, the most stable one is returned. The smaller number wins ties.
    """
    assert rows
    stable = [row for row in rows if _stability(row) >= STABLE]
    if stable:
        return max(stable, key=lambda row: (row.silhouette or 0.0, -row.domains)).domains
    return max(rows, key=lambda row: (_stability(row), -row.domains)).domains


def _stability(row: Quality) -> float:
    return min(-1.0 if value is None else value for value in (row.seeds, row.bootstrap))
