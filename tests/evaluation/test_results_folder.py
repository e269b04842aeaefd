"""results.json and choices.csv: what is read back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_scores import item, write_evaluation

from dplass_cli.errors import InputError
from dplass_cli.evaluation.results_folder import is_evaluation, read_choices, read_results, write_choices


def changed(folder: Path, **values: Any) -> Path:
    path = write_evaluation(folder, {"base": {"0": 1.0}}) / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_a_finished_evaluation_is_recognised(tmp_path: Path) -> None:
    assert is_evaluation(write_evaluation(tmp_path, {"base": {"0": 1.0}}))
    assert not is_evaluation(tmp_path / "other")


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not an evaluation folder \(no results.json\)"):
        read_results(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the results of an evaluation"):
        read_results(changed(tmp_path, format="dplass-partition-1"))


@pytest.mark.parametrize(
    "values",
    [{"benchmark": 3}, {"aggregation": "sum"}, {"policies": []}, {"policies": {"base": {"n": 1, "sdri": "high"}}}],
)
def test_incomplete_results_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="incomplete"):
        read_results(changed(tmp_path, **values))


def test_choices_are_a_row_per_item_and_a_column_per_condition(tmp_path: Path) -> None:
    write_choices(tmp_path, [item("0", group="a"), item("1")], {"text": {"0": "domain1"}})
    assert (tmp_path / "choices.csv").read_text() == "idx,group,text\n0,a,domain1\n1,,\n"
    assert read_choices(tmp_path, ["text"])[1] == {"idx": "1", "group": "", "text": ""}


def test_choices_without_a_condition_are_refused(tmp_path: Path) -> None:
    write_choices(tmp_path, [item("0")], {"text": {}})
    with pytest.raises(InputError, match="has no column 'oracle'"):
        read_choices(tmp_path, ["oracle"])
