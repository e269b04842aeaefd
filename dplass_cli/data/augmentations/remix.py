"""Two clips of one caption as one target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene, check_probability


@dataclass(frozen=True)
class Remix:
    """MixUp of targets (Zhang et al. 2018, arXiv:1710.09412): adds another clip that the same caption describes.

    The target is λ·a + (1 − λ)·b with λ from Beta(alpha, alpha); the query stays true. A caption with one clip stays.
    """

    probability: float = 0.3
    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if self.alpha <= 0:
            raise ValueError(f"remix.alpha must be positive, not {self.alpha}")

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        if rng.random() >= self.probability:
            return scene.sources
        share = np.float32(rng.beta(self.alpha, self.alpha))
        other = scene.another()
        if other is None:
            return scene.sources
        remixed = scene.sources.copy()
        remixed[0] = share * remixed[0] + (1 - share) * other
        return remixed
