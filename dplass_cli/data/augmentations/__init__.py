"""Augmentations of training mixtures: one function per file; this is their table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.data.augmentations.gain import gain_scene
from dplass_cli.data.augmentations.masking import mask_scene
from dplass_cli.data.augmentations.polarity import flip_polarity
from dplass_cli.data.augmentations.remix import remix_target
from dplass_cli.data.augmentations.reverberation import reverberate
from dplass_cli.data.augmentations.shift import shift_sources
from dplass_cli.options.augmentation_settings import AugmentationSettings

__all__ = ["AUGMENTATIONS", "Augmentation", "Scene", "augmentations"]

Augmentation = Callable[[Scene, np.random.Generator], Audio]
"""Takes a scene and returns its augmented sources (S, T); the scene is not changed.

All randomness comes from the generator, so that a sample stays a pure function of its number. The mixer matches
energies afterwards, so levels among the sources have no effect.
"""

AUGMENTATIONS: dict[str, Callable[[Any, Scene, np.random.Generator], Audio]] = {
    "remix": remix_target,
    "shift": shift_sources,
    "polarity": flip_polarity,
    "reverberation": reverberate,
    "gain": gain_scene,
    "masking": mask_scene,
}
"""{field of :class:`AugmentationSettings`: function of (its settings, scene, generator)}."""


def augmentations(settings: AugmentationSettings) -> Iterator[Augmentation]:
    """The augmentations that are switched on, in the order of the settings' fields."""
    for field in dataclasses.fields(settings):
        chosen = getattr(settings, field.name)
        if chosen is not None:
            yield partial(AUGMENTATIONS[field.name], chosen)
