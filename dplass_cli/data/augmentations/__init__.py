"""Augmentations of training mixtures: one file each behind one protocol; this is their table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from dplass_cli.data.augmentations.base import Augmentation, Scene
from dplass_cli.data.augmentations.gain import Gain
from dplass_cli.data.augmentations.masking import Masking
from dplass_cli.data.augmentations.polarity import Polarity
from dplass_cli.data.augmentations.remix import Remix
from dplass_cli.data.augmentations.reverberation import Reverberation
from dplass_cli.data.augmentations.shift import Shift

__all__ = ["Augmentation", "Augmentations", "Scene"]


@dataclass(frozen=True)
class Augmentations:
    """The augmentations that are on, with their settings, in the order in which they are applied; none by default."""

    remix: Remix | None = None
    shift: Shift | None = None
    polarity: Polarity | None = None
    reverberation: Reverberation | None = None
    gain: Gain | None = None
    masking: Masking | None = None

    def __iter__(self) -> Iterator[Augmentation]:
        for field in dataclasses.fields(self):
            augmentation = getattr(self, field.name)
            if augmentation is not None:
                yield augmentation
