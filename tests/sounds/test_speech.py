"""Voices: voiced ones have a pitch, whispers have none."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_whispering_is_closer_to_noise_than_speaking(seed: int) -> None:
    assert spectrum_of("whispering", seed).flatness > 2 * spectrum_of("male_speech", seed).flatness


@pytest.mark.parametrize("name", ["male_speech", "female_speech", "child_speech"])
def test_voices_have_most_of_their_power_between_200_and_2000_hz(name: str) -> None:
    assert 200 < spectrum_of(name).centroid < 2000
