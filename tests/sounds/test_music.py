"""Instruments: low and high, tonal and not."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_a_bass_drum_is_low_and_a_hi_hat_is_high(seed: int) -> None:
    assert spectrum_of("bass_drum", seed).centroid < 150
    assert spectrum_of("hi_hat", seed).centroid > 5000


@pytest.mark.parametrize("name", ["flute", "organ", "violin", "trumpet"])
def test_melodic_instruments_are_tonal(name: str) -> None:
    assert spectrum_of(name).flatness < 0.05
