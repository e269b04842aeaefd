"""What an augmentation is: settings that are called on a scene and give other sources for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class Scene:
    """The sources of a training mixture before they are mixed.

    Attributes:
        sources: float32 (S, T), the target first, then the interferers.
        sample_rate: Hz.
        another: reads a segment (T,) of another clip that the target's caption describes; None where there is none.
    """

    sources: Audio
    sample_rate: int
    another: Callable[[], Audio | None]


class Augmentation(Protocol):
    """A frozen dataclass of settings; one file each in this folder.

    It runs where audio is read. All that is random comes from ``rng``, so that a sample stays a pure function of its
    number. The mixer matches energies afterwards: levels among the sources are its business.
    """

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """Return the sources (S, T) anew; those of the scene are not changed."""
        ...


def check_probability(probability: float) -> None:
    """Refuse what is no probability.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0.0 <= probability <= 1.0:
        raise InputError(f"the probability of an augmentation must be between 0 and 1, not {probability}")
