"""Random gain of the whole scene."""

from __future__ import annotations

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import GainSettings


def gain_scene(settings: GainSettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Apply one random gain to all sources (S, T)."""
    if rng.random() >= settings.probability:
        return scene.sources
    return scene.sources * np.float32(10.0 ** (rng.uniform(settings.lower_db, settings.higher_db) / 20.0))
