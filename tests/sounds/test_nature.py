"""Weather and water: noise, low and high."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_rain_is_broadband_noise(seed: int) -> None:
    spectrum = spectrum_of("rain", seed)
    assert spectrum.flatness > 0.3
    assert spectrum.centroid > 3000


@pytest.mark.parametrize("seed", range(3))
def test_thunder_is_lower_than_wind_and_wind_lower_than_a_waterfall(seed: int) -> None:
    centroids = [spectrum_of(name, seed).centroid for name in ("thunder", "wind", "waterfall")]
    assert centroids == sorted(centroids)
