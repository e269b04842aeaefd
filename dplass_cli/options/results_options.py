"""Options of ``results``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, argument, option
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class ResultsCompareOptions(Options):
    """Options of ``results compare``."""

    runs: tuple[Path, ...] = argument("RUN", "Evaluation folders; the others are compared with the first.")
    select: tuple[str, ...] | None = option(None, "Policies, such as base,text.", shown="all in common", split=True)
    output: Path | None = option(None, "Folder of the table and the plot to write.", also="-o")


@dataclass(frozen=True)
class ResultsScanOptions(Options):
    """Options of ``results scan``."""

    folder: Path = argument("FOLDER", "A folder with evaluations below it.")
    output: Path | None = option(None, "Markdown file of the table to write.", also="-o")


@dataclass(frozen=True)
class ResultsFadOptions(EncoderOptions):
    """Options of ``results fad``."""

    first: Path = argument("FIRST", "A folder of sounds.")
    second: Path = argument("SECOND", "Another folder of sounds.")
    cache: Path | None = option(None, "Folder of embeddings to use and to keep.")
