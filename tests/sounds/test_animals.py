"""Animals: their pitches."""

from __future__ import annotations

import pytest
from spectra import spectrum_of


@pytest.mark.parametrize("seed", range(3))
def test_an_owl_hoots_lower_than_a_bird_chirps(seed: int) -> None:
    assert spectrum_of("owl_hoot", seed).peak < 600
    assert spectrum_of("bird_chirp", seed).peak > 2000


@pytest.mark.parametrize("seed", range(3))
def test_crickets_sing_above_4_khz(seed: int) -> None:
    assert spectrum_of("crickets", seed).peak > 4000


@pytest.mark.parametrize("seed", range(3))
def test_a_cow_is_lower_than_a_dog(seed: int) -> None:
    assert spectrum_of("cow_moo", seed).centroid < spectrum_of("dog_bark", seed).centroid
