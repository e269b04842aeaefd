"""``results``: comparing evaluations, tabulating all of a folder, and the distance of two sets of sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli.audio.folders import audio_files
from dplass_cli.devices import choose_device
from dplass_cli.encoders import load_encoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.evaluation.comparison import Line, compare_runs, is_evaluation, read_results, read_run
from dplass_cli.evaluation.fad import frechet_distance
from dplass_cli.evaluation.item_records import RESULTS
from dplass_cli.reports.evaluation_plots import differences
from dplass_cli.reports.markdown import markdown_table, with_interval
from dplass_cli.storage import Progress, no_progress, require_folder, write_bytes, write_json, write_text


@dataclass(frozen=True)
class ResultsComparison:
    """A line a run and policy, and where table and plot were written; None where nothing was asked to be."""

    lines: list[Line]
    folder: Path | None


@dataclass(frozen=True)
class Scanned:
    """One policy of one evaluation found below a folder; figures in dB."""

    folder: str
    benchmark: str
    policy: str
    sdri: float
    sdri_ci: tuple[float, float]
    si_sdr: float
    regret: float | None
    accuracy: float | None
    n: int
    bound: bool


def compare_results(
    folders: Sequence[Path], policies: Sequence[str] | None = None, output: Path | None = None
) -> ResultsComparison:
    """Compare evaluation folders, each policy with the first folder's, by a paired bootstrap.

    Args:
        policies: which; default those that all runs have.
        output: folder of ``comparison.json``, ``comparison.md`` and ``comparison.png``.

    Raises:
        InputError: fewer than two folders, or some that cannot be compared.
    """
    if len(folders) < 2:
        raise InputError("give two or more evaluation folders to compare")
    lines = compare_runs([read_run(folder) for folder in folders], policies)
    if output is not None:
        write_json(output / "comparison.json", [vars(line) for line in lines])
        write_text(output / "comparison.md", comparison_markdown(lines))
        others = [line for line in lines if line.run != lines[0].run]
        drawn = differences(
            [(f"{line.policy}: {line.run}", line.difference, line.difference_ci) for line in others], "the first run"
        )
        write_bytes(output / "comparison.png", drawn)
    return ResultsComparison(lines, output)


def comparison_rows(lines: Sequence[Line]) -> list[list[str]]:
    """The cells of the lines: policy, run, SDRi, SI-SDR, difference (dB), items."""
    return [
        [
            line.policy,
            line.run,
            with_interval(line.sdri, line.sdri_ci),
            f"{line.si_sdr:.2f}",
            with_interval(line.difference, line.difference_ci, "+.2f"),
            str(line.n),
        ]
        for line in lines
    ]


def comparison_markdown(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table."""
    rows = comparison_rows(lines)
    return markdown_table(["policy", "run", "SDRi (dB)", "SI-SDR (dB)", "difference (dB)", "items"], rows, left=2)


def scan_results(folder: Path, output: Path | None = None) -> list[Scanned]:
    """Tabulate every evaluation folder below a folder, by benchmark.

    Args:
        output: Markdown file of the table.

    Raises:
        InputError: there is no evaluation below it.
    """
    require_folder(folder)
    found = [path.parent for path in sorted(folder.rglob(RESULTS)) if is_evaluation(path.parent)]
    if not found:
        raise InputError(f"{folder}: no evaluation below it; dplass evaluate --output writes one")
    rows = [
        Scanned(
            str(place.relative_to(folder)),
            results["benchmark"],
            name,
            _decibels(score["sdri"]),
            (_decibels(score["sdri_ci"][0]), _decibels(score["sdri_ci"][1])),
            _decibels(score["si_sdr"]),
            score["regret"],
            score["accuracy"],
            score["n"],
            score["bound"],
        )
        for place in found
        for results in [read_results(place)]
        for name, score in results["policies"].items()
    ]
    rows.sort(key=lambda row: row.benchmark)
    if output is not None:
        write_text(output, scan_markdown(rows))
    return rows


def _decibels(value: float | None) -> float:
    """A figure as it stood before JSON, which has no NaN."""
    return float("nan") if value is None else value


def scan_markdown(rows: Sequence[Scanned]) -> str:
    """The rows as a Markdown table."""
    lines = [
        [
            row.benchmark,
            row.folder,
            f"{row.policy} (bound)" if row.bound else row.policy,
            with_interval(row.sdri, row.sdri_ci),
            f"{row.si_sdr:.2f}",
            str(row.n),
        ]
        for row in rows
    ]
    return markdown_table(["benchmark", "run", "policy", "SDRi (dB)", "SI-SDR (dB)", "items"], lines, left=3)


@dataclass(frozen=True)
class FadResult:
    """The Fréchet audio distance of two folders, their numbers of sounds, and {file: why} of what was left out."""

    distance: float
    sounds: tuple[int, int]
    size: int
    encoder: str
    failed: dict[str, str]


def fad(
    first: Path,
    second: Path,
    encoder: str = "tiny",
    tokenizer: Path | None = None,
    cache: Path | None = None,
    device: str = "auto",
    trust: bool = False,
    progress: Progress = no_progress,
) -> FadResult:
    """Measure how far the sounds below one folder are from those below another.

    Raises:
        InputError: a folder with fewer than two readable sounds, or an unusable encoder.
    """
    model = load_encoder(encoder, tokenizer, choose_device(device), trust)
    kept = None if cache is None else EmbeddingCache(cache, model)
    failed: dict[Clip, str] = {}
    sets = []
    for folder in (first, second):
        clips = [Clip(path.absolute(), 0.0, None) for path in audio_files(folder)]
        vectors = [vector for _, vector in embed_clips(clips, model, kept, None, failed, progress)]
        if len(vectors) < 2:
            raise InputError(f"{folder}: {len(vectors)} readable sounds below it; a distance needs two or more")
        sets.append(np.stack(vectors).astype(np.float64))
    reasons = {str(clip.wav): reason for clip, reason in failed.items()}
    return FadResult(frechet_distance(*sets), (len(sets[0]), len(sets[1])), model.size, model.name, reasons)
