"""Aggregation rules against the published implementations' numbers, and the bootstrap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.statistics import RESAMPLES, aggregate, bootstrap, interval

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "metrics.json").read_text())["aggregation"]


def flat(classes: dict[str, list[Any]]) -> tuple[list[float], list[str]]:
    pairs = [(float(value), name) for name, values in classes.items() for value in values]
    return [value for value, _ in pairs], [name for _, name in pairs]


def total(rule: Aggregation, values: list[Any], groups: list[str]) -> float:
    return float(aggregate(rule, np.array(values, dtype=float), groups))


def test_rules_give_the_golden_values() -> None:
    audioset, music, plain = (GOLDEN[name] for name in ("audioset_audiosep", "music", "plain"))
    assert total("mean-of-class-medians", *flat(audioset["per_class"])) == audioset["result"]
    without = {name: values for name, values in audioset["per_class"].items() if name != "4"}
    assert total("mean-of-class-medians", *flat(without)) == GOLDEN["audioset_dp_lass"]["result_without_class_4"]
    assert total("mean-of-class-means", *flat(music["per_source_type"])) == pytest.approx(music["result"], abs=1e-12)
    assert total("mean", plain["items"], [""] * len(plain["items"])) == plain["result"]
    assert np.isnan(total("mean", plain["with_nan_items"], [""] * len(plain["with_nan_items"])))


@pytest.mark.parametrize("rule", ["mean", "mean-of-class-medians", "mean-of-class-means"])
def test_intervals_cover_the_mean_about_95_times_in_100(rule: Aggregation) -> None:
    """For normal samples of known mean; intervals from few samples are slightly too short."""
    generator = np.random.default_rng(1)
    groups = ["a", "b", "c"] * 12
    held = []
    for _ in range(60):
        values = generator.normal(3.0, 2.0, (36, 1))
        low, high = interval(bootstrap(rule, values, groups)[:, 0])
        held.append(low <= 3.0 <= high)
    assert 0.85 <= np.mean(held) <= 1.0


@pytest.mark.parametrize("rule", ["mean", "mean-of-class-medians", "mean-of-class-means"])
def test_columns_are_resampled_together(rule: Aggregation) -> None:
    values = np.random.default_rng(2).normal(size=(30, 1))
    samples = bootstrap(rule, np.concatenate((values, values + 1.0), axis=1), ["a", "b"] * 15)
    assert samples.shape == (RESAMPLES, 2)
    np.testing.assert_allclose(samples[:, 1] - samples[:, 0], 1.0)
    np.testing.assert_array_equal(
        samples, bootstrap(rule, np.concatenate((values, values + 1.0), axis=1), ["a", "b"] * 15)
    )
    wide = samples[:, 0].std()
    assert wide == pytest.approx(values.std() / np.sqrt(30), rel=0.4)


def test_no_items_give_nan() -> None:
    assert np.isnan(total("mean", [], []))
    assert np.isnan(bootstrap("mean", np.empty((0, 2)), [])).all()
    assert all(np.isnan(end) for end in interval(np.array([np.nan, 1.0])))
