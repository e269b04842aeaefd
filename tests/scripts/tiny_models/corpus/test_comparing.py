"""Comparing a rebuilt clip with an existing one."""

from __future__ import annotations

import numpy as np
import pytest

from tiny_models.corpus.comparing import correlate, correlate_takes, is_alike

NOISE = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal(8000).astype(np.float32)


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_level_does_not_matter(gain: float) -> None:
    assert correlate(NOISE, NOISE * np.float32(gain)) == pytest.approx(1, abs=1e-6)


def test_a_shift_does_not_matter() -> None:
    assert correlate(NOISE[100:], NOISE[:-100]) > 0.98


def test_a_clip_is_found_in_a_longer_one() -> None:
    assert correlate(np.concatenate([OTHER, NOISE]), NOISE) == pytest.approx(1, abs=1e-6)


def test_other_noise_is_not_alike() -> None:
    assert correlate(NOISE, OTHER) < 0.2


def test_silence_correlates_with_nothing() -> None:
    assert correlate(np.zeros(100, np.float32), NOISE) == 0


def test_a_sequence_is_as_alike_as_its_worst_take() -> None:
    existing = np.concatenate([NOISE, np.zeros(500, np.float32), OTHER])
    assert correlate_takes([OTHER, NOISE], existing) > 0.99
    assert correlate_takes([OTHER, NOISE[::-1]], existing) < 0.2


@pytest.mark.parametrize(
    ("ratio", "correlation", "sequence", "alike"),
    [(1.04, 0.95, False, True), (1.06, 0.95, False, False), (1.06, 0.95, True, True), (1.0, 0.89, False, False)],
)
def test_length_and_correlation_decide(ratio: float, correlation: float, sequence: bool, alike: bool) -> None:
    assert is_alike(ratio, correlation, sequence) is alike
