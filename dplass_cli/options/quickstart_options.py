"""Options of ``quickstart``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option


@dataclass(frozen=True)
class QuickstartOptions:
    """Options of ``quickstart``."""

    folder: Path = argument(
        "FOLDER", default=Path("dplass-quickstart"), help="Folder of all files; must be empty or absent."
    )
    clips: int = option(default=4, help="Training clips per class.")
    steps: int = option(default=30, help="Training steps per domain.")
    mixtures: int = option(
        default=70, help="Evaluation mixtures; also the most validation mixtures per domain, where it is below 20."
    )
    device: str = option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")

    def __post_init__(self) -> None:
        for name in ("clips", "steps", "mixtures"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
