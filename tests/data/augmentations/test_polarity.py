"""Random polarity: a source is flipped as a whole, independently of the others."""

from __future__ import annotations

import numpy as np

from dplass_cli.data.augmentations import Scene, flip_polarity
from dplass_cli.options.augmentation_settings import PolaritySettings


def test_with_probability_1_every_source_is_negated(scene: Scene) -> None:
    flipped = flip_polarity(PolaritySettings(1.0), scene, np.random.default_rng(0))
    np.testing.assert_array_equal(flipped, -scene.sources)


def test_sources_are_flipped_independently(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    signs = {
        tuple((flip_polarity(PolaritySettings(), scene, rng) / scene.sources).mean(axis=1).round(3).tolist())
        for _ in range(100)
    }
    assert signs == {(a, b, c) for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)}


def test_the_type_stays_float32(scene: Scene) -> None:
    assert flip_polarity(PolaritySettings(), scene, np.random.default_rng(0)).dtype == np.float32
