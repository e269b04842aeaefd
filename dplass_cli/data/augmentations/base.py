"""The scene that an augmentation works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dplass_cli.audio.reading import Audio


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
