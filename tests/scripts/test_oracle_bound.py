"""What of the oracle's gain remains for adapters of other seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from oracle_bound import Seed, gains, mean_gains


def seed(scores: list[list[float]], chosen: list[float]) -> Seed:
    sdri = pd.DataFrame(scores)
    return sdri, 2 * sdri, pd.Series(chosen)


def test_a_gain_that_every_seed_has_is_kept() -> None:
    scores = [[3.0, 0.0], [0.0, 2.0]]
    found = mean_gains([seed(scores, [3.0, 0.0]) for _ in range(3)])
    assert found["oracle"].tolist() == [3.0, 2.0]
    assert found["the choice of the other seeds"].tolist() == [3.0, 2.0]
    assert found["the nearest caption"].tolist() == [3.0, 0.0]


def test_a_gain_of_one_seed_alone_is_none() -> None:
    lucky = [seed([[1.0, 0.0]], [0.0]), seed([[0.0, 1.0]], [0.0])]
    found = mean_gains(lucky)
    assert found["oracle"].tolist() == [1.0]
    assert found["the choice of the other seeds"].tolist() == [0.0]


def test_noise_gives_the_oracle_a_gain_and_the_other_seeds_none() -> None:
    generator = np.random.default_rng(0)
    seeds = [seed(generator.standard_normal((4000, 7)).tolist(), [0.0] * 4000) for _ in range(3)]
    found = mean_gains(seeds)
    assert found["oracle"].mean() == pytest.approx(1.35, abs=0.03)  # the expected largest of seven normal numbers
    assert found["the choice of the other seeds"].mean() == pytest.approx(0.0, abs=0.05)


def test_a_bank_can_be_judged_by_all_seeds() -> None:
    others = [seed([[0.0, 2.0]], [0.0]), seed([[1.0, 0.0]], [0.0])]
    found = gains(seed([[5.0, 3.0]], [5.0]), others)
    assert {name: values.tolist() for name, values in found.items()} == {
        "oracle": [5.0],
        "the choice of the other seeds": [3.0],
        "the nearest caption": [5.0],
    }
