"""Random sign of each source."""

from __future__ import annotations

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import PolaritySettings


def flip_polarity(settings: PolaritySettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Flip the sign of each source (S, T) at random."""
    flipped = rng.random(len(scene.sources)) < settings.probability
    return scene.sources * np.where(flipped, -1.0, 1.0).astype(np.float32)[:, None]
