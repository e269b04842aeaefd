"""The level of the whole scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene, check_probability


@dataclass(frozen=True)
class Gain:
    """Gains all sources alike by decibels drawn uniformly, so that quiet and loud recordings are met."""

    probability: float = 1.0
    lower_db: float = -12.0
    higher_db: float = 6.0

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if self.lower_db > self.higher_db:
            raise ValueError(f"gain.lower_db {self.lower_db} is above higher_db {self.higher_db}")

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        if rng.random() >= self.probability:
            return scene.sources
        return scene.sources * np.float32(10.0 ** (rng.uniform(self.lower_db, self.higher_db) / 20.0))
