"""Random shift of each source in time."""

from __future__ import annotations

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import ShiftSettings


def shift_sources(settings: ShiftSettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Shift each source (S, T) circularly."""
    largest = round(settings.seconds * scene.sample_rate)
    shifted = scene.sources.copy()
    for source in shifted:
        if rng.random() < settings.probability:
            source[:] = np.roll(source, int(rng.integers(-largest, largest, endpoint=True)))
    return shifted
