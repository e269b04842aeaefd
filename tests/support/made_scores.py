"""Scores and evaluation folders that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, Recorded
from dplass_cli.evaluation.results_folder import FORMAT, RESULTS, write_choices
from dplass_cli.evaluation.scores import ItemScore, PolicyScore
from dplass_cli.storage import write_json


def item(idx: str, query: str = "rain", group: str = "") -> Item:
    """An item whose files do not exist."""
    return Item(idx, query, group, Recorded(Path(f"{idx}-reference.wav"), Path(f"{idx}-mixture.wav")))


def score(idx: str, run: str, sdri: float | None, **more: Any) -> ItemScore:
    """An item's score; SI-SDR is the SDRi unless it is given, and ``sdri`` None is a silent reference."""
    given = {"query": "rain", "sha256": "ab", "sdri": sdri, "si_sdr": sdri, "level_db": -3.0, "seconds": 0.1, **more}
    return ItemScore(idx=idx, run=run, **given)


def known(*scores: ItemScore) -> dict[tuple[str, str], ItemScore]:
    """Scores by item and run."""
    return {(one.idx, one.run): one for one in scores}


def policy_score(**given: Any) -> PolicyScore:
    """A condition's score."""
    defaults: dict[str, Any] = {
        "sdri": 7.0,
        "si_sdr": 6.0,
        "si_sdri": 6.0,
        "sdr": 7.0,
        "bss_sdr": float("nan"),
        "similarity": 0.5,
        "sdri_ci": (6.0, 8.0),
        "si_sdr_ci": (5.0, 7.0),
        "n": 10,
        "bound": False,
        "difference": None,
        "difference_ci": None,
        "regret": None,
        "accuracy": None,
        "choices": {},
        "silent_level_db": None,
    }
    return PolicyScore(**defaults | given)


def write_evaluation(
    folder: Path, sdri: Mapping[str, Mapping[str, float]], sha256: str = "ab", benchmark: str = "custom"
) -> Path:
    """Write a finished evaluation.

    Args:
        folder: where.
        sdri: {condition: {item: dB}}; each condition has a run of its own name.
        sha256: of the audio of all items.
        benchmark: its name.
    """
    scores = [score(idx, name, value, sha256=sha256) for name, row in sdri.items() for idx, value in row.items()]
    with ItemRecords(folder, "key", lambda names: {}) as records:
        records.append(scores)
    items = [item(idx) for idx in next(iter(sdri.values()))]
    write_choices(folder, items, {name: dict.fromkeys(row, name) for name, row in sdri.items()})
    figures = {
        "sdri": 1.0,
        "sdri_ci": [0.0, 2.0],
        "si_sdr": 1.0,
        "regret": None,
        "accuracy": 0.5,
        "n": 1,
        "bound": False,
    }
    policies = dict.fromkeys(sdri, figures)
    write_json(
        folder / RESULTS, {"format": FORMAT, "benchmark": benchmark, "aggregation": "mean", "policies": policies}
    )
    return folder
