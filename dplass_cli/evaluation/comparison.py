"""Comparing finished evaluations item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import numpy as np

from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.item_records import FORMAT, RESULTS, number, read_choices, read_items_csv
from dplass_cli.evaluation.statistics import aggregate, bootstrap, interval
from dplass_cli.storage import read_json


@dataclass(frozen=True)
class Reached:
    """What a policy reached on an item of a run: dB, the item's class, and the sha256 of its audio."""

    sdri: float
    si_sdr: float
    group: str
    sha256: str


@dataclass(frozen=True)
class Run:
    """A finished evaluation: its ``results.json``, and {policy: {item: what was reached}} of audible items."""

    name: str
    results: dict[str, Any]
    policies: dict[str, dict[str, Reached]]


@dataclass(frozen=True)
class Line:
    """One policy of one run on the items that all runs share, dB; differences are to the first run's same policy."""

    run: str
    policy: str
    n: int
    sdri: float
    sdri_ci: tuple[float, float]
    si_sdr: float
    difference: float
    difference_ci: tuple[float, float]


def is_evaluation(folder: Path) -> bool:
    """Whether a folder holds the results of an evaluation."""
    try:
        content = read_json(folder / RESULTS)
    except InputError:
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_results(folder: Path) -> dict[str, Any]:
    """Read the ``results.json`` of an evaluation folder.

    Raises:
        InputError: there is none, or it is of something else.
    """
    if folder.is_dir() and not (folder / RESULTS).exists():
        raise InputError(f"{folder}: not an evaluation folder (no {RESULTS}); give what dplass evaluate --output wrote")
    content = read_json(folder / RESULTS)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{folder / RESULTS}: not the results of an evaluation (no format {FORMAT!r})")
    policies = content.get("policies")
    whole = isinstance(policies, dict) and all(map(_is_score, policies.values()))
    if (
        not whole
        or not isinstance(content.get("benchmark"), str)
        or content.get("aggregation") not in get_args(Aggregation)
    ):
        raise InputError(f"{folder / RESULTS}: lacks its benchmark, or figures of a policy; evaluate again")
    return content


def _is_score(score: Any) -> bool:
    """Whether this is what a policy reached, as ``results.json`` has it."""
    if not isinstance(score, dict) or not isinstance(score.get("n"), int):
        return False
    interval = score.get("sdri_ci")
    figures = [score.get(name, "") for name in ("sdri", "si_sdr", "regret", "accuracy")]
    figures += interval if isinstance(interval, list) and len(interval) == 2 else [""]
    return isinstance(score.get("bound"), bool) and all(isinstance(one, (int, float, NoneType)) for one in figures)


def read_run(folder: Path) -> Run:
    """Read a finished evaluation.

    Raises:
        InputError: the folder holds none.
    """
    results = read_results(folder)
    rows = {(row["idx"], row["adapter"]): row for row in read_items_csv(folder)}
    policies: dict[str, dict[str, Reached]] = {name: {} for name in results["policies"]}
    choices = read_choices(folder)
    lacking = [name for name in ("idx", "group", *policies) if choices and name not in choices[0]]
    if lacking:
        raise InputError(f"{folder}: its table of choices has no column {lacking[0]!r}; evaluate again")
    for choice in choices:
        for name, reached in policies.items():
            row = rows.get((choice["idx"], choice[name]))
            if row is not None and row["sdri"]:
                reached[choice["idx"]] = Reached(
                    number(row, "sdri"), number(row, "si_sdr"), choice["group"], row["sha256"]
                )
    return Run(str(folder), results, policies)


def compare_runs(runs: Sequence[Run], policies: Sequence[str] | None = None) -> list[Line]:
    """Compare runs on the items that all of them have with the same audio, by a paired bootstrap.

    Args:
        policies: which; default those that all runs have.

    Raises:
        InputError: other benchmarks, no policy or no item in common.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.results["benchmark"] != first.results["benchmark"]:
            raise InputError(
                f"{run.name}: is of {run.results['benchmark']}, {first.name} of {first.results['benchmark']};"
                " compare runs of one benchmark"
            )
    common = [name for name in first.policies if all(name in run.policies for run in runs)]
    for name in policies or ():
        if name not in common:
            raise InputError(f"--select {name}: not in all of these runs; in common: {', '.join(common) or 'none'}")
    chosen = list(policies or common)
    if not chosen:
        raise InputError("these runs have no policy in common; evaluate them with the same --select")
    return [line for name in chosen for line in _compare(runs, name, first.results["aggregation"])]


def _compare(runs: Sequence[Run], policy: str, rule: Aggregation) -> list[Line]:
    tables = [run.policies[policy] for run in runs]
    first = tables[0]
    shared = [
        idx
        for idx, reached in first.items()
        if all(idx in table and table[idx].sha256 == reached.sha256 for table in tables)
    ]
    if not shared:
        raise InputError(f"--select {policy}: these runs share no item with the same audio")
    groups = [first[idx].group for idx in shared]
    values = np.array([[table[idx].sdri for table in tables] for idx in shared])
    si_sdr = aggregate(rule, np.array([[table[idx].si_sdr for table in tables] for idx in shared]), groups)
    sdri, samples = aggregate(rule, values, groups), bootstrap(rule, values, groups)
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
