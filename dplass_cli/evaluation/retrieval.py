"""Finding sounds by sentences: ranking by cosine, and how good rankings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Retrieval:
    """How well sentences find their sounds.

    Attributes:
        queries, sounds: how many.
        recall: {k: share of queries with one of their sounds among the first k}.
        map10: mean over queries of the average precision of the first ten (as DCASE's language-based audio retrieval).
        median_rank: the median over queries of the rank, from 1, of the first of their sounds.
    """

    queries: int
    sounds: int
    recall: dict[int, float]
    map10: float
    median_rank: float


def rank(query: Vectors, sounds: Vectors, top: int) -> list[tuple[int, float]]:
    """The nearest ``top`` of sounds (N, D) to a query (D,): (row, cosine), the nearest first, equal ones in order."""
    cosines = sounds @ query
    order = np.argsort(-cosines, kind="stable")[:top]
    return [(int(row), float(cosines[row])) for row in order]


def evaluate_retrieval(queries: Vectors, relevant: Sequence[set[int]], sounds: Vectors) -> Retrieval:
    """Rank all sounds for every query.

    Args:
        queries: (Q, D), unit norm. relevant: of each query, the rows of ``sounds`` that it describes; at least one.
        sounds: (N, D), unit norm.
    """
    first_ranks: list[int] = []
    precisions: list[float] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        cosines = queries[start : start + _QUERIES_AT_ONCE] @ sounds.T
        for row, wanted in zip(cosines, relevant[start : start + _QUERIES_AT_ONCE], strict=True):
            order = np.argsort(-row, kind="stable")
            hits = np.isin(order, list(wanted))
            first_ranks.append(int(hits.argmax()) + 1)
            precisions.append(_average_precision(hits[:10], len(wanted)))
    ranks = np.array(first_ranks)
    return Retrieval(
        len(queries),
        len(sounds),
        {k: float((ranks <= k).mean()) for k in (1, 5, 10)},
        float(np.mean(precisions)),
        float(np.median(ranks)),
    )


def _average_precision(hits: npt.NDArray[np.bool_], relevant: int) -> float:
    """The mean, over the relevant ones that could be among them, of the precision at each hit."""
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / min(relevant, len(hits)))
