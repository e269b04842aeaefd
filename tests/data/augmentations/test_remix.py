"""Remix: the target gets a share of another clip of its caption."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.data.augmentations import Scene, remix_target
from dplass_cli.options.augmentation_settings import RemixSettings


def test_the_target_is_a_weighted_sum_of_both_clips(scene: Scene) -> None:
    remixed = remix_target(RemixSettings(1.0), scene, np.random.default_rng(0))
    share = (remixed[0] - 1) / (scene.sources[0] - 1)  # the other clip is constantly 1
    assert 0 < np.median(share) < 1
    assert np.abs(share - np.median(share)).max() < 1e-2


def test_the_interferers_stay(scene: Scene) -> None:
    remixed = remix_target(RemixSettings(1.0), scene, np.random.default_rng(0))
    np.testing.assert_array_equal(remixed[1:], scene.sources[1:])


def test_a_caption_of_one_clip_is_not_changed(scene: Scene) -> None:
    alone = Scene(scene.sources, scene.sample_rate, lambda: None)
    np.testing.assert_array_equal(remix_target(RemixSettings(1.0), alone, np.random.default_rng(0)), scene.sources)


def test_alpha_must_be_positive() -> None:
    with pytest.raises(ValueError, match="alpha"):
        RemixSettings(alpha=0)
