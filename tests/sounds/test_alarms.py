"""Alarms: tones at their pitches."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_a_smoke_alarm_beeps_near_3_khz(seed: int) -> None:
    spectrum = spectrum_of("smoke_alarm", seed)
    assert 2900 < spectrum.peak < 3600
    assert spectrum.flatness < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_a_foghorn_is_very_low(seed: int) -> None:
    assert spectrum_of("foghorn", seed).centroid < 300


@pytest.mark.parametrize("seed", range(3))
def test_a_busy_signal_has_the_two_tones_of_the_telephone(seed: int) -> None:
    assert 440 < spectrum_of("busy_signal", seed).peak < 670
