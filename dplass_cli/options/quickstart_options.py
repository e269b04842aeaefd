"""Options of ``quickstart``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, argument, option, setting


@dataclass(frozen=True)
class QuickstartOptions(Options):
    """Options of ``quickstart``."""

    folder: Path = argument("FOLDER", "Folder of all files; must be empty or absent.", Path("dplass-quickstart"))
    clips: int = setting(4, "Training clips per class.", least=1)
    steps: int = setting(30, "Training steps per domain.", least=1)
    mixtures: int = setting(
        70, "Evaluation mixtures; also the most validation mixtures per domain, where it is below 20.", least=1
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
