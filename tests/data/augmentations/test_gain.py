"""Random gain: one for all sources, uniform in dB."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.data.augmentations import Scene, gain_scene
from dplass_cli.options.augmentation_settings import GainSettings


def test_a_gain_of_6_db_doubles_the_amplitude(scene: Scene) -> None:
    settings = GainSettings(1.0, lower_db=6.0206, higher_db=6.0206)
    louder = gain_scene(settings, scene, np.random.default_rng(0))
    np.testing.assert_allclose(louder, 2 * scene.sources, rtol=1e-5)


def test_all_sources_have_the_same_gain(scene: Scene) -> None:
    ratio = gain_scene(GainSettings(), scene, np.random.default_rng(0)) / scene.sources
    assert np.ptp(ratio) < 1e-5
    assert ratio.mean() != pytest.approx(1.0, abs=1e-3)


def test_gains_fill_the_range_between_their_bounds(scene: Scene) -> None:
    rng, settings = np.random.default_rng(0), GainSettings(lower_db=-6, higher_db=6)
    ratios = [float((gain_scene(settings, scene, rng) / scene.sources).mean()) for _ in range(100)]
    levels = 20 * np.log10(ratios)
    assert -6.001 <= levels.min() < -5
    assert 5 < levels.max() <= 6.001


def test_half_of_the_mixtures_are_changed_with_probability_one_half(scene: Scene) -> None:
    rng, settings = np.random.default_rng(0), GainSettings(0.5)
    changed = [not np.array_equal(gain_scene(settings, scene, rng), scene.sources) for _ in range(200)]
    assert 0.4 < np.mean(changed) < 0.6


def test_a_lower_bound_above_the_upper_one_is_refused() -> None:
    with pytest.raises(ValueError, match="lower_db"):
        GainSettings(lower_db=3, higher_db=1)
