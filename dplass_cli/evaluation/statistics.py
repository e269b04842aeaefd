"""Aggregation over items by a benchmark's rule, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from dplass_cli.evaluation.benchmarks import Aggregation

Values = npt.NDArray[np.float64]

RESAMPLES = 2000
_SEED = 20230809
_AT_ONCE = 250  # resamples in memory


def aggregate(rule: Aggregation, values: Values, groups: Sequence[str]) -> Values:
    """Aggregate values (N, ...) of N items with their classes by a benchmark's rule: (...); NaN without items.

    ``mean`` is over items, ``mean-of-class-medians`` and ``mean-of-class-means`` over the classes that occur. Medians
    and the mean over them leave NaN out, as AudioSep's evaluation does; the other means propagate it.
    """
    if len(values) == 0:
        return np.full(values.shape[1:], np.nan)
    if rule == "mean":
        return np.asarray(values.mean(axis=0))
    classes = pd.DataFrame(values.reshape(len(values), -1)).groupby(np.asarray(groups), sort=False)
    if rule == "mean-of-class-medians":
        result = classes.median().mean()
    else:
        complete = classes.count().eq(classes.size(), axis=0)  # pandas leaves NaN out of means
        result = classes.mean().where(complete).mean(skipna=False)
    return np.asarray(result).reshape(values.shape[1:])


def bootstrap(rule: Aggregation, values: Values, groups: Sequence[str]) -> Values:
    """Aggregate resampled items, the same resamples for every column: (R, M) of values (N, M).

    Items are drawn with replacement (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993), within each class
    where the rule aggregates by class. The draws depend on the number of items only, so columns of the same items are
    paired.
    """
    generator = np.random.default_rng(_SEED)
    if len(values) == 0:
        return np.full((RESAMPLES, values.shape[1]), np.nan)
    if rule == "mean":
        return _resampled(values, generator, "mean")
    statistic = "mean" if rule == "mean-of-class-means" else "median"
    names = np.asarray(groups)
    classes = [values[names == name] for name in dict.fromkeys(groups)]
    return _without_nan(np.stack([_resampled(members, generator, statistic) for members in classes]), "mean")


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
        parts.append(drawn.mean(axis=1) if statistic == "mean" else _without_nan(drawn.swapaxes(0, 1), "median"))
    return np.concatenate(parts)


def _without_nan(values: Values, statistic: str) -> Values:
    """The mean or median along the first axis without NaN; NaN where all values are."""
    if not np.isnan(values).any():
        return np.asarray(values.mean(axis=0) if statistic == "mean" else np.median(values, axis=0))
    columns = pd.DataFrame(values.reshape(len(values), -1)).agg(statistic)  # numpy's nanmedian would warn
    return np.asarray(columns).reshape(values.shape[1:])
