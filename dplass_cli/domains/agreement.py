"""Agreement of two partitions of the same captions, and the captions that moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import comb
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from dplass_cli.domains.features import IntArray
from dplass_cli.domains.partition_folder import Partition
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class PartitionAgreement:
    """Result of :func:`compare`.

    Attributes:
        captions: number of captions in both partitions.
        adjusted_rand: adjusted Rand index: 1 for the same grouping, 0 for chance (Hubert and Arabie, 1985).
        mutual_information: mutual information divided by the mean of both entropies, 0 … 1.
        matched: {domain id of the first: matching domain id of the second}, one to one, with most captions in common.
        moved: {caption: (its domain in the first, its domain in the second)}, where these are not matched.
        only_first: captions of the first partition only.
        only_second: captions of the second partition only.
    """

    captions: int
    adjusted_rand: float
    mutual_information: float
    matched: dict[int, int]
    moved: dict[str, tuple[int, int]]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def adjusted_rand(one: IntArray, other: IntArray) -> float:
    """Return the adjusted Rand index of two groupings int64 (N,): 1 for the same, 0 for chance.

    The formula of Hubert and Arabie (1985). scikit-learn's function warns about groupings with more groups than half
    the samples, which bootstrap samples can be, and the library must not filter warnings.
    """
    table = contingency_matrix(one, other).astype(np.float64)
    together = comb(table, 2).sum()
    first, second = comb(table.sum(axis=1), 2).sum(), comb(table.sum(axis=0), 2).sum()
    expected = first * second / max(comb(len(one), 2), 1.0)
    most = (first + second) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def mutual_information(one: IntArray, other: IntArray) -> float:
    """Return the mutual information of two groupings int64 (N,), divided by the mean of their entropies: 0 … 1.

    Not scikit-learn's ``normalized_mutual_info_score``, for the same reason as :func:`adjusted_rand`.
    """
    table = contingency_matrix(one, other)
    mean = (entropy(table.sum(axis=1)) + entropy(table.sum(axis=0))) / 2
    return 1.0 if mean == 0 else float(mutual_info_score(None, None, contingency=table) / mean)


def compare(first: Partition, second: Partition) -> PartitionAgreement:
    """Compare two partitions by the captions that both have.

    Raises:
        InputError: they have no caption in common.
    """
    one, two = (
        {caption: domain.id for domain in partition.domains for caption in domain.captions}
        for partition in (first, second)
    )
    common = sorted(one.keys() & two.keys())
    if not common:
        raise InputError("the partitions have no caption in common; compare two of the same manifest")
    ids = np.array([[one[caption], two[caption]] for caption in common])
    rows, columns = np.unique(ids[:, 0]), np.unique(ids[:, 1])
    shared = contingency_matrix(ids[:, 0], ids[:, 1])
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    matched = {int(rows[row]): int(columns[column]) for row, column in pairs}
    return PartitionAgreement(
        captions=len(common),
        adjusted_rand=adjusted_rand(ids[:, 0], ids[:, 1]),
        mutual_information=mutual_information(ids[:, 0], ids[:, 1]),
        matched=matched,
        moved={c: (one[c], two[c]) for c in common if matched.get(one[c]) != two[c]},
        only_first=tuple(sorted(one.keys() - two.keys())),
        only_second=tuple(sorted(two.keys() - one.keys())),
    )
