"""All evaluations below a folder, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.evaluation.results_folder import RESULTS, is_evaluation, read_results
from dplass_cli.evaluation.table import Figure, Table, display_name
from dplass_cli.storage import require_folder


@dataclass(frozen=True)
class Scanned:
    """A condition of an evaluation that was found below a folder.

    Attributes:
        folder: of the evaluation, relative to the folder.
        benchmark: its name.
        policy: name of the condition.
        sdri: dB.
        sdri_ci: 95% bootstrap interval.
        si_sdr: dB.
        regret: dB; None where not every adapter ran.
        accuracy: share of the items for which the oracle's adapter was chosen; None where no adapter was.
        n: items.
        bound: an upper bound, which sees the reference.
    """

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


def scan_folder(folder: Path) -> list[Scanned]:
    """Read the results of every evaluation folder below a folder, ordered by benchmark.

    Raises:
        InputError: there is no evaluation below it, or the results of one are damaged.
    """
    require_folder(folder)
    found = [path.parent for path in sorted(folder.rglob(RESULTS)) if is_evaluation(path.parent)]
    if not found:
        raise InputError(f"{folder}: no evaluation in it; dplass evaluate --output writes one")
    rows = []
    for path in found:
        results = read_results(path)
        for name, score in results["policies"].items():
            low, high = score["sdri_ci"]
            rows.append(
                Scanned(
                    str(path.relative_to(folder)),
                    results["benchmark"],
                    name,
                    _number(score["sdri"]),
                    (_number(low), _number(high)),
                    _number(score["si_sdr"]),
                    score["regret"],
                    score["accuracy"],
                    score["n"],
                    score["bound"],
                )
            )
    return sorted(rows, key=lambda row: row.benchmark)


def _number(value: float | None) -> float:
    """A number as it was before it was written as JSON, which has no NaN."""
    return float("nan") if value is None else value


def scan_table(rows: Sequence[Scanned]) -> Table:
    """The conditions of all evaluations, a row each."""
    cells = [
        (
            row.benchmark,
            row.folder,
            display_name(row.policy, row.bound),
            Figure(row.sdri, interval=row.sdri_ci),
            Figure(row.si_sdr),
            Figure(row.regret),
            Figure(row.accuracy, ".0%"),
            Figure(row.n, "d"),
        )
        for row in rows
    ]
    columns = ("benchmark", "run", "policy", "SDRi (dB) [95%]", "SI-SDR (dB)", "regret (dB)", "accuracy", "items")
    return Table("", columns, cells, left=3)
