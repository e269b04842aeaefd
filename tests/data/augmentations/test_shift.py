"""Random shift: circular, per source, within the largest shift."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.data.augmentations import Scene, shift_sources
from dplass_cli.options.augmentation_settings import ShiftSettings


def test_a_shift_is_circular(scene: Scene) -> None:
    shifted = shift_sources(ShiftSettings(1.0, 0.1), scene, np.random.default_rng(0))
    for source, other in zip(scene.sources, shifted, strict=True):
        lags = [lag for lag in range(-800, 801) if np.array_equal(np.roll(source, lag), other)]
        assert len(lags) == 1


def test_no_sample_moves_further_than_the_largest_shift() -> None:
    click = np.zeros((1, 8000), np.float32)
    click[0, 4000] = 1.0
    rng, settings = np.random.default_rng(0), ShiftSettings(1.0, 0.01)
    scene = Scene(click, 8000, lambda: None)
    lags = [int(shift_sources(settings, scene, rng).argmax()) - 4000 for _ in range(200)]
    assert min(lags) in range(-80, -60)
    assert max(lags) in range(61, 81)


def test_a_shift_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds"):
        ShiftSettings(seconds=0)
