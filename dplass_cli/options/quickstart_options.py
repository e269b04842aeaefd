"""Options of ``quickstart``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class QuickstartOptions:
    """Options of ``quickstart``.

    Attributes:
        folder: where everything goes; must be empty or absent.
        clips: training clips a class.
        steps: training steps a domain.
        mixtures: evaluation mixtures.
        device: where to compute.
    """

    folder: Path = Path("dplass-quickstart")
    clips: int = 4
    steps: int = 30
    mixtures: int = 70
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("clips", "steps", "mixtures"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
