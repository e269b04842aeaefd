"""Options of ``results``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class ResultsCompareOptions:
    """Options of ``results compare``."""

    runs: tuple[Path, ...] = argument("RUN", help="Evaluation folders; the others are compared with the first.")
    select: tuple[str, ...] | None = option(
        "--select", default=None, shown="all in common", split=True, help="Policies, such as base,text."
    )
    output: Path | None = option("--output", "-o", default=None, help="Folder of the table and the plot to write.")


@dataclass(frozen=True)
class ResultsScanOptions:
    """Options of ``results scan``."""

    folder: Path = argument("FOLDER", help="A folder with evaluations below it.")
    output: Path | None = option("--output", "-o", default=None, help="Markdown file of the table to write.")


@dataclass(frozen=True)
class ResultsFadOptions(EncoderOptions):
    """Options of ``results fad``."""

    first: Path = argument("FIRST", help="A folder of sounds.")
    second: Path = argument("SECOND", help="Another folder of sounds.")
    cache: Path | None = option("--cache", default=None, help="Folder of embeddings to use and to keep.")
