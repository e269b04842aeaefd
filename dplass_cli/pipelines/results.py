"""``results``: compare evaluations, tabulate all in a folder, and measure the distance between two sets of sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.encoders import load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.errors import InputError
from dplass_cli.evaluation.comparison import (
    Line,
    Scanned,
    compare_runs,
    comparison_table,
    read_run,
    scan_folder,
    scan_table,
)
from dplass_cli.evaluation.fad import embed_folder, frechet_distance
from dplass_cli.extras import drawn
from dplass_cli.options.results_options import ResultsFadOptions
from dplass_cli.reports.evaluation_plots import differences
from dplass_cli.storage import Progress, no_progress, write_bytes, write_json, write_text


@dataclass(frozen=True)
class ResultsComparison:
    """Result of :func:`compare_results`.

    Attributes:
        lines: one per policy and run.
        folder: of the table and the plot; None where these were not asked for.
    """

    lines: list[Line]
    folder: Path | None


def compare_results(
    folders: Sequence[Path], policies: Sequence[str] | None = None, output: Path | None = None
) -> ResultsComparison:
    """Compare each policy (default: those that all runs have) with that of the first run, by a paired bootstrap.

    ``comparison.json``, ``comparison.md`` and ``comparison.png`` are written to the folder ``output``, if there is one.

    Raises:
        InputError: fewer than two folders, or folders that cannot be compared.
    """
    if len(folders) < 2:
        raise InputError("give two or more evaluation folders to compare")
    lines = compare_runs([read_run(folder) for folder in folders], policies)
    if output is not None:
        write_json(output / "comparison.json", [vars(line) for line in lines])
        write_text(output / "comparison.md", comparison_table(lines).markdown())
        others = [line for line in lines if line.run != lines[0].run]
        if drawn("results compare"):
            rows = [(f"{line.policy}: {line.run}", line.difference, line.difference_ci) for line in others]
            write_bytes(output / "comparison.png", differences(rows, "the first run"))
    return ResultsComparison(lines, output)


def scan_results(folder: Path, output: Path | None = None) -> list[Scanned]:
    """Tabulate every evaluation folder below a folder, by benchmark; ``output`` is a Markdown file to write.

    Raises:
        InputError: there is no evaluation below the folder.
    """
    rows = scan_folder(folder)
    if output is not None:
        write_text(output, scan_table(rows).markdown())
    return rows


@dataclass(frozen=True)
class FadResult:
    """Result of :func:`fad`.

    Attributes:
        distance: the Fréchet audio distance.
        sounds: how many sounds each folder has.
        size: dimensions of an embedding.
        encoder: name of the encoder.
        failed: {file: why it could not be read}.
    """

    distance: float
    sounds: tuple[int, int]
    size: int
    encoder: str
    failed: dict[str, str]


def fad(options: ResultsFadOptions, progress: Progress = no_progress) -> FadResult:
    """Measure the Fréchet audio distance between the sounds in two folders.

    Raises:
        InputError: a folder with fewer than two readable sounds, or an unusable encoder.
    """
    encoder = load_encoder_of(options.model)
    cache = None if options.cache is None else EmbeddingCache(options.cache, encoder)
    failed: dict[str, str] = {}
    one, other = (embed_folder(each, encoder, cache, failed, progress) for each in (options.first, options.second))
    return FadResult(frechet_distance(one, other), (len(one), len(other)), encoder.size, encoder.name, failed)
