"""Sounds of the house."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_mains_hum_is_a_tone_at_twice_the_frequency_of_the_mains(seed: int) -> None:
    spectrum = spectrum_of("mains_hum", seed)
    assert spectrum.peak in (100, 120)
    assert spectrum.flatness < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_frying_is_noise_of_high_frequencies(seed: int) -> None:
    spectrum = spectrum_of("frying", seed)
    assert spectrum.centroid > 4000
    assert spectrum.flatness > 0.1
