"""Where in the segment each source begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene, check_probability


@dataclass(frozen=True)
class Shift:
    """Shifts each source in time by up to ``seconds``, around the segment's ends: onsets fall elsewhere."""

    probability: float = 0.5
    seconds: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if self.seconds <= 0:
            raise ValueError(f"shift.seconds must be positive, not {self.seconds}")

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        furthest = round(self.seconds * scene.sample_rate)
        shifted = scene.sources.copy()
        for source in shifted:
            if rng.random() < self.probability:
                source[:] = np.roll(source, int(rng.integers(-furthest, furthest, endpoint=True)))
        return shifted
