"""The Fréchet distance against its closed form and against scipy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dplass_cli.evaluation.fad import frechet_distance


def test_distance_of_equal_sets_is_zero_and_of_shifted_ones_the_squared_shift() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6))
    assert frechet_distance(rows, rows[::-1]) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(rows, rows + 2.0) == pytest.approx(6 * 4.0)


def test_distance_equals_that_with_the_matrix_root() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(40, 5)), 1.0 + generator.normal(size=(60, 5)) @ generator.normal(size=(5, 5))
    one, two = (np.cov(rows, rowvar=False) for rows in (first, second))
    expected = np.square(first.mean(axis=0) - second.mean(axis=0)).sum() + np.trace(
        one + two - 2 * sqrtm(one @ two).real
    )
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_fewer_sounds_than_dimensions_have_a_distance() -> None:
    rows = np.random.default_rng(2).normal(size=(4, 30))
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-6)
