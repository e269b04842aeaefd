"""Clustering captions by their features, with domain ids that do not depend on the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dplass_cli.domains.features import FloatArray, IntArray
from dplass_cli.domains.methods import group
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Method

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
    """Cluster captions into domains.

    Domain 0 has the most clips, and so on; ties go to the domain with the alphabetically first caption. The result does
    not depend on the order of the captions.

    Args:
        features: float64 (C, D).
        captions: C distinct texts.
        clips: int64 (C,), the number of clips of each caption.
        domains: the number of domains; ``hdbscan`` finds its own.
        seed: seed of the clustering.
        by_clips: a caption weighs as many clips as it has; otherwise all captions weigh the same, as published.
        method: a method of :mod:`dplass_cli.domains.methods`.

    Returns:
        The domain id int64 (C,) of each caption.

    Raises:
        InputError: there are fewer captions, or captions with different features, than domains; or the method does not
            accept the captions.
    """
    order = sorted(range(len(captions)), key=lambda position: captions[position])
    points = np.asarray(features, dtype=np.float64)[order]
    if method != "hdbscan":
        check_enough(len(captions), domains)
        _check_distinct(distinct_points(points), domains)
    weights = clips[order].astype(np.float64) if by_clips else None
    labels = group(method, points, weights, domains, seed)
    ids = np.empty(len(order), dtype=np.int64)
    ids[order] = _canonical(labels, clips[order])
    return ids


def check_enough(captions: int, domains: int) -> None:
    """Require at least as many distinct captions as domains.

    Raises:
        InputError: there are fewer.
    """
    if captions < domains:
        raise InputError(
            f"{domains} domains need at least {domains} distinct captions, but the manifest has {captions};"
            f" give --domains {captions} or fewer, or add captions"
        )


def distinct_points(points: FloatArray) -> int:
    """Count points (N, D) that differ by more than rounding."""
    return len(np.unique(points.round(_DECIMALS), axis=0))


def _check_distinct(points: int, domains: int) -> None:
    if points < domains:
        raise InputError(
            f"{domains} domains need captions with at least {domains} different features, but there are {points}"
            f" (the other captions share their clips); give --domains {points} or fewer, or other --features"
        )


def _canonical(labels: IntArray, clips: IntArray) -> IntArray:
    """Renumber the labels (C,) of alphabetically sorted captions: most clips first, then the first caption first."""
    found, first = np.unique(labels, return_index=True)
    sizes = np.bincount(labels, weights=clips)
    ranked = sorted(zip(found, first, strict=True), key=lambda item: (-sizes[item[0]], item[1]))
    names = np.empty(int(found.max()) + 1, dtype=np.int64)
    for name, (label, _) in enumerate(ranked):
        names[label] = name
    renamed: IntArray = names[labels]
    return renamed
