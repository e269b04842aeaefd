"""The sign of each source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene, check_probability


@dataclass(frozen=True)
class Polarity:
    """Turns the sign of each source with a probability: it sounds the same and mixes otherwise."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        turned = rng.random(len(scene.sources)) < self.probability
        return scene.sources * np.where(turned, -1.0, 1.0).astype(np.float32)[:, None]
