"""Summing up items by a benchmark's rule, and how sure the sum is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dplass_cli.evaluation.benchmarks import Aggregation

Values = npt.NDArray[np.float64]

RESAMPLES = 2000
_SEED = 20230809
_AT_ONCE = 250  # resamples


def aggregate(rule: Aggregation, values: Values, groups: Sequence[str]) -> Values:
    """Sum up values (N, ...) of N items: (...).

    ``mean`` over items, ``mean-of-class-medians`` and ``mean-of-class-means`` over the classes that are there. Medians
    and the mean over them leave NaN out, as AudioSep's evaluation does; other means do not. NaN without items.

    Args:
        groups: the class of each item.
    """
    if len(values) == 0:
        return np.full(values.shape[1:], np.nan)
    if rule == "mean":
        return np.asarray(values.mean(axis=0))
    classes = _by_class(values, groups)
    if rule == "mean-of-class-means":
        return np.asarray(np.mean([members.mean(axis=0) for members in classes], axis=0))
    return _nan_mean(np.stack([_nan_median(members) for members in classes]))


def bootstrap(rule: Aggregation, values: Values, groups: Sequence[str]) -> Values:
    """Aggregates of resampled items, the same resamples for every column: (R, M) of values (N, M).

    Items are drawn with replacement (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993); where the rule
    works by class, within each class. The draw depends on the number of items alone, so columns that belong to the
    same items are paired.
    """
    generator = np.random.default_rng(_SEED)
    if len(values) == 0:
        return np.full((RESAMPLES, values.shape[1]), np.nan)
    if rule == "mean":
        return _resampled(values, generator, "mean")
    statistic = "mean" if rule == "mean-of-class-means" else "median"
    return _nan_mean(np.stack([_resampled(members, generator, statistic) for members in _by_class(values, groups)]))


def _by_class(values: Values, groups: Sequence[str]) -> list[Values]:
    names = np.asarray(groups)
    return [values[names == name] for name in dict.fromkeys(groups)]


def interval(samples: Values) -> tuple[float, float]:
    """The 95% percentile interval of resampled aggregates (R,)."""
    if np.isnan(samples).any():
        return float("nan"), float("nan")
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def _resampled(values: Values, generator: np.random.Generator, statistic: str) -> Values:
    parts = []
    for _ in range(RESAMPLES // _AT_ONCE):
        drawn = values[generator.integers(0, len(values), (_AT_ONCE, len(values)))]
        parts.append(drawn.mean(axis=1) if statistic == "mean" else _nan_median(drawn.swapaxes(0, 1)))
    return np.concatenate(parts)


def _nan_median(values: Values) -> Values:
    """The median along the first axis, NaN left out; NaN where there is nothing else."""
    if not np.isnan(values).any():
        return np.asarray(np.median(values, axis=0))
    known = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1:], np.nan)
    median[known] = np.nanmedian(values[:, known], axis=0)
    return median


def _nan_mean(values: Values) -> Values:
    """The mean along the first axis, NaN left out; NaN where there is nothing else."""
    counts = (~np.isnan(values)).sum(axis=0)
    sums = np.nansum(values, axis=0)
    mean = np.full(np.shape(sums), np.nan)
    return np.asarray(np.divide(sums, counts, out=mean, where=counts > 0))
