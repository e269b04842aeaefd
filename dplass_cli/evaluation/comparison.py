"""Finished evaluations side by side: compared item by item, or all below a folder in one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd

from dplass_cli.errors import InputError
from dplass_cli.evaluation.item_records import read_item_scores
from dplass_cli.evaluation.results_folder import RESULTS, is_evaluation, read_choices, read_results
from dplass_cli.evaluation.statistics import aggregate, bootstrap, interval
from dplass_cli.evaluation.table import Figure, Table, display_name
from dplass_cli.storage import require_folder

_MEASURED = ["idx", "run", "sha256", "sdri", "si_sdr"]


@dataclass(frozen=True)
class EvaluatedRun:
    """A finished evaluation.

    Attributes:
        name: its folder.
        results: its ``results.json``.
        scores: a data frame with a row per condition and item with an audible reference; its columns are ``condition``,
            ``idx``, ``group``, ``run``, ``sha256``, ``sdri`` and ``si_sdr``.
    """

    name: str
    results: dict[str, Any]
    scores: Any


@dataclass(frozen=True)
class Line:
    """A policy of a run on the items that all runs share. Differences are to the first run's score of that policy.

    Attributes:
        run: the evaluation folder.
        policy: name of the condition.
        n: items.
        sdri: dB.
        sdri_ci: 95% bootstrap interval.
        si_sdr: dB.
        difference: in SDRi, dB.
        difference_ci: 95% interval by a paired bootstrap.
    """

    run: str
    policy: str
    n: int
    sdri: float
    sdri_ci: tuple[float, float]
    si_sdr: float
    difference: float
    difference_ci: tuple[float, float]


def read_run(folder: Path) -> EvaluatedRun:
    """Read a finished evaluation; anything else, or a damaged one, is an InputError."""
    results = read_results(folder)
    names = list(results["policies"])
    measured = pd.DataFrame([vars(score) for score in read_item_scores(folder)], columns=_MEASURED)
    chosen = pd.DataFrame(
        [(name, row["idx"], row["group"], row[name]) for row in read_choices(folder, names) for name in names],
        columns=["condition", "idx", "group", "run"],
    )
    scores = chosen.drop_duplicates(["condition", "idx"], keep="last").merge(
        measured.drop_duplicates(["idx", "run"], keep="last"), on=["idx", "run"]
    )
    audible = scores.astype({"sdri": float, "si_sdr": float}).dropna(subset=["sdri"])
    return EvaluatedRun(str(folder), results, audible)


def compare_runs(runs: Sequence[EvaluatedRun], policies: Sequence[str] | None = None) -> list[Line]:
    """Compare two or more runs on the items that all have with the same audio, by a paired bootstrap.

    Without ``policies``, those that all runs have are compared.

    Raises:
        InputError: the runs are of several benchmarks, or have no policy or item in common.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.results["benchmark"] != first.results["benchmark"]:
            raise InputError(
                f"{run.name}: evaluates {run.results['benchmark']}, but {first.name} {first.results['benchmark']};"
                " compare runs of one benchmark"
            )
    common = [name for name in first.results["policies"] if all(name in run.results["policies"] for run in runs)]
    for name in policies or ():
        if name not in common:
            raise InputError(f"--select {name}: not in all of these runs; in common: {', '.join(common) or 'none'}")
    chosen = list(policies or common)
    if not chosen:
        raise InputError("these runs have no policy in common; evaluate them with the same --select")
    return [line for name in chosen for line in _compare(runs, name)]


def _compare(runs: Sequence[EvaluatedRun], policy: str) -> list[Line]:
    rule = runs[0].results["aggregation"]
    tables = [run.scores[run.scores["condition"] == policy].set_index(["idx", "sha256"]) for run in runs]
    shared = reduce(lambda index, table: index[index.isin(table.index)], tables[1:], tables[0].index)
    if shared.empty:
        raise InputError(f"--select {policy}: these runs have no item with the same audio in common")
    groups = tables[0].loc[shared, "group"].tolist()
    sdri_values, si_sdr_values = (
        pd.concat([table.loc[shared, metric] for table in tables], axis=1).to_numpy() for metric in ("sdri", "si_sdr")
    )
    sdri, si_sdr = aggregate(rule, sdri_values, groups), aggregate(rule, si_sdr_values, groups)
    samples = bootstrap(rule, sdri_values, groups)
    return [
        Line(
            run.name,
            policy,
            len(shared),
            float(sdri[column]),
            interval(samples[:, column]),
            float(si_sdr[column]),
            float(sdri[column] - sdri[0]),
            interval(samples[:, column] - samples[:, 0]),
        )
        for column, run in enumerate(runs)
    ]


def comparison_table(lines: Sequence[Line]) -> Table:
    """The lines of a comparison as a table."""
    rows = [
        (
            line.policy,
            line.run,
            Figure(line.sdri, interval=line.sdri_ci),
            Figure(line.si_sdr),
            Figure(line.difference, "+.2f", line.difference_ci),
            Figure(line.n, "d"),
        )
        for line in lines
    ]
    columns = ("policy", "run", "SDRi (dB) [95%]", "SI-SDR (dB)", "difference (dB) [95%]", "items")
    return Table("", columns, rows, left=2)


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
            # JSON has no NaN: a number that is always there is null instead.
            figures: dict[str, Any] = {
                key: math.nan if score[key] is None else score[key] for key in ("sdri", "si_sdr")
            }
            low, high = (math.nan if end is None else end for end in score["sdri_ci"])
            figures |= {key: score[key] for key in ("regret", "accuracy", "n", "bound")}
            where = str(path.relative_to(folder))
            rows.append(Scanned(where, results["benchmark"], name, sdri_ci=(low, high), **figures))
    return sorted(rows, key=lambda row: row.benchmark)


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
