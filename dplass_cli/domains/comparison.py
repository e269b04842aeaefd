"""How alike two partitions of the same captions are, and which captions moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from dplass_cli.domains.partition import Partition
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class Comparison:
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


def compare(first: Partition, second: Partition) -> Comparison:
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
    return Comparison(
        captions=len(common),
        adjusted_rand=float(adjusted_rand_score(ids[:, 0], ids[:, 1])),
        mutual_information=float(normalized_mutual_info_score(ids[:, 0], ids[:, 1])),
        matched=matched,
        moved={c: (one[c], two[c]) for c in common if matched.get(one[c]) != two[c]},
        only_first=tuple(sorted(one.keys() - two.keys())),
        only_second=tuple(sorted(two.keys() - one.keys())),
    )
