"""Engines and horns."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_an_idling_car_throbs_below_a_chainsaw(seed: int) -> None:
    assert spectrum_of("car_idle", seed).centroid < 300
    assert spectrum_of("chainsaw", seed).centroid > 1000


@pytest.mark.parametrize("seed", range(3))
def test_squealing_tyres_have_a_tone_near_1_khz(seed: int) -> None:
    assert 800 < spectrum_of("tyre_squeal", seed).peak < 1500
