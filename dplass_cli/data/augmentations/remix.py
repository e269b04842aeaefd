"""MixUp of two clips of the same caption."""

from __future__ import annotations

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import RemixSettings


def remix_target(settings: RemixSettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Mix the target with another clip of its caption; the interferers stay. Returns the sources (S, T)."""
    if rng.random() >= settings.probability:
        return scene.sources
    share = np.float32(rng.beta(settings.alpha, settings.alpha))
    other = scene.another()
    if other is None:
        return scene.sources
    remixed = scene.sources.copy()
    remixed[0] = share * remixed[0] + (1 - share) * other
    return remixed
