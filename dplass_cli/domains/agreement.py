"""How alike two partitions of the same captions are, and which captions moved."""

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
    """What two partitions have in common.

    Attributes:
        captions: that both have.
        adjusted_rand: 1 for the same grouping, 0 for chance (Hubert and Arabie, 1985).
        mutual_information: normalised to 0 … 1, by the mean of both entropies.
        matched: {domain id of the first: the id of the second that shares most captions with it}, one to one.
        moved: {caption: (its domain in the first, its domain in the second)}, where these are not matched.
        only_first, only_second: captions of one of them.
    """

    captions: int
    adjusted_rand: float
    mutual_information: float
    matched: dict[int, int]
    moved: dict[str, tuple[int, int]]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def adjusted_rand(one: IntArray, other: IntArray) -> float:
    """The adjusted Rand index of two groupings int64 (N,): 1 for the same, 0 for chance (Hubert and Arabie, 1985).

    From the table of counts, since scikit-learn's own function warns of groupings into many small groups.
    """
    table = contingency_matrix(one, other).astype(np.float64)
    together = comb(table, 2).sum()
    first, second = comb(table.sum(axis=1), 2).sum(), comb(table.sum(axis=0), 2).sum()
    expected = first * second / max(comb(len(one), 2), 1.0)
    most = (first + second) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def mutual_information(one: IntArray, other: IntArray) -> float:
    """The mutual information of two groupings int64 (N,) over the mean of their entropies: 0 … 1."""
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
