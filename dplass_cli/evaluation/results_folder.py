"""An evaluation folder's ``results.json``, ``results.md`` and ``choices.csv``: names, writing, reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import Aggregation
from dplass_cli.evaluation.items import Item
from dplass_cli.records import csv_rows, write_rows
from dplass_cli.storage import read_json, read_text, require_folder

RESULTS, CHOICES, TABLE = "results.json", "choices.csv", "results.md"
FORMAT = "dplass-evaluation-1"


def is_evaluation(folder: Path) -> bool:
    """Whether a folder holds the results of an evaluation."""
    return evaluated_benchmark(folder) is not None


def evaluated_benchmark(folder: Path) -> str | None:
    """The benchmark whose results a folder holds; None if it holds no results."""
    try:
        content = read_json(folder / RESULTS)
    except InputError:
        return None
    return str(content.get("benchmark")) if isinstance(content, dict) and content.get("format") == FORMAT else None


def read_results(folder: Path) -> dict[str, Any]:
    """Read the ``results.json`` of an evaluation folder.

    Raises:
        InputError: it is missing, or of something else.
    """
    path = require_folder(folder) / RESULTS
    if not path.exists():
        raise InputError(f"{folder}: not an evaluation folder (no {RESULTS}); give what dplass evaluate --output wrote")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not the results of an evaluation (no format {FORMAT!r})")
    policies = content.get("policies")
    if (
        not isinstance(policies, dict)
        or not all(map(_is_score, policies.values()))
        or not isinstance(content.get("benchmark"), str)
        or content.get("aggregation") not in get_args(Aggregation)
    ):
        raise InputError(f"{path}: incomplete (the benchmark, or scores of a policy); evaluate again")
    return content


def _is_score(score: Any) -> bool:
    if not isinstance(score, dict) or not isinstance(score.get("n"), int):
        return False
    ends = score.get("sdri_ci")
    figures = [score.get(name, "") for name in ("sdri", "si_sdr", "regret", "accuracy")]
    figures += ends if isinstance(ends, list) and len(ends) == 2 else [""]
    return isinstance(score.get("bound"), bool) and all(isinstance(one, (int, float, NoneType)) for one in figures)


def write_choices(folder: Path, items: Sequence[Item], chosen: Mapping[str, Mapping[str, str]]) -> None:
    """Write ``choices.csv``: the run that each condition chose for each item, empty where it chose none."""
    rows = [
        {"idx": item.idx, "group": item.group, **{name: runs.get(item.idx, "") for name, runs in chosen.items()}}
        for item in items
    ]
    write_rows(folder / CHOICES, ("idx", "group", *chosen), rows)


def read_choices(folder: Path, conditions: Sequence[str]) -> list[dict[str, str]]:
    """Read ``choices.csv``: a row per item with its ``idx``, its ``group`` and the run that each condition chose.

    Raises:
        InputError: it is missing or damaged.
    """
    path = folder / CHOICES
    rows = csv_rows(read_text(path, errors="surrogateescape"), path)
    lacking = [name for name in ("idx", "group", *conditions) if rows and name not in rows[0]]
    if lacking:
        raise InputError(f"{path}: has no column {lacking[0]!r}; evaluate again")
    return rows
