"""Finished evaluations compared item by item, and all below a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scores import write_evaluation

from dplass_cli.errors import InputError
from dplass_cli.evaluation.comparison import compare_runs, comparison_table, read_run, scan_folder, scan_table

FIRST = {"base": {"0": 1.0, "1": 2.0, "2": 6.0}, "text": {"0": 2.0, "1": 3.0, "2": 7.0}}


def test_a_run_has_the_scores_that_its_conditions_chose(tmp_path: Path) -> None:
    scores = read_run(write_evaluation(tmp_path, FIRST)).scores
    assert scores[scores["condition"] == "text"].set_index("idx")["sdri"].to_dict() == FIRST["text"]


def test_a_policy_is_compared_with_the_first_run(tmp_path: Path) -> None:
    second = {"base": FIRST["base"], "text": {"0": 2.5, "1": 3.5, "2": 7.5}}
    runs = [read_run(write_evaluation(tmp_path / name, sdri)) for name, sdri in (("a", FIRST), ("b", second))]
    lines = {(line.policy, Path(line.run).name): line for line in compare_runs(runs)}
    assert lines["text", "b"].sdri == pytest.approx(4.5)
    assert lines["text", "b"].difference == pytest.approx(0.5)
    assert lines["base", "b"].difference == 0.0


def test_differences_are_paired(tmp_path: Path) -> None:
    """Items differ by tens of dB, the runs by one: the interval has no width."""
    levels = np.random.default_rng(0).normal(0.0, 20.0, 30).round(3)
    first = {"base": {str(idx): float(level) for idx, level in enumerate(levels)}}
    second = {"base": {idx: value + 1.0 for idx, value in first["base"].items()}}
    runs = [read_run(write_evaluation(tmp_path / name, sdri)) for name, sdri in (("a", first), ("b", second))]
    line = compare_runs(runs)[1]
    assert line.difference_ci == pytest.approx((1.0, 1.0))
    assert line.sdri_ci[1] - line.sdri_ci[0] > 5.0


def test_only_items_in_all_runs_count(tmp_path: Path) -> None:
    second = {"base": {"2": 6.0, "1": 4.0, "9": 100.0}}
    runs = [read_run(write_evaluation(tmp_path / name, sdri)) for name, sdri in (("a", FIRST), ("b", second))]
    lines = compare_runs(runs)
    assert [(line.policy, line.n, line.sdri) for line in lines] == [("base", 2, 4.0), ("base", 2, 5.0)]


def test_items_with_other_audio_are_not_compared(tmp_path: Path) -> None:
    runs = [read_run(write_evaluation(tmp_path / sha256, FIRST, sha256)) for sha256 in ("ab", "cd")]
    with pytest.raises(InputError, match="no item with the same audio in common"):
        compare_runs(runs)


def test_policies_that_a_run_lacks_are_named(tmp_path: Path) -> None:
    runs = [
        read_run(write_evaluation(tmp_path / name, sdri)) for name, sdri in (("a", FIRST), ("b", {"base": {"0": 1.0}}))
    ]
    with pytest.raises(InputError, match="--select text: not in all of these runs; in common: base"):
        compare_runs(runs, ["text"])


def test_runs_without_a_common_policy_are_refused(tmp_path: Path) -> None:
    runs = [read_run(write_evaluation(tmp_path / name, {name: {"0": 1.0}})) for name in ("base", "text")]
    with pytest.raises(InputError, match="no policy in common"):
        compare_runs(runs)


def test_runs_of_two_benchmarks_are_refused(tmp_path: Path) -> None:
    runs = [read_run(write_evaluation(tmp_path / name, FIRST, benchmark=name)) for name in ("esc50", "clotho")]
    with pytest.raises(InputError, match="compare runs of one benchmark"):
        compare_runs(runs)


def test_the_table_has_a_row_per_policy_and_run(tmp_path: Path) -> None:
    runs = [read_run(write_evaluation(tmp_path / name, FIRST)) for name in ("a", "b")]
    table = comparison_table(compare_runs(runs))
    assert [row[0] for row in table.rows] == ["base", "base", "text", "text"]
    assert str(table.rows[3][4]) == "+0.00 [+0.00, +0.00]"


def test_every_condition_of_every_evaluation_is_a_row(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "b" / "deep", {"base": {"0": 1.0}, "text": {"0": 1.0}}, benchmark="esc50")
    write_evaluation(tmp_path / "c", {"base": {"0": 1.0}}, benchmark="clotho")
    rows = scan_folder(tmp_path)
    assert [(row.benchmark, row.folder, row.policy) for row in rows] == [
        ("clotho", "c", "base"),
        ("esc50", "b/deep", "base"),
        ("esc50", "b/deep", "text"),
    ]
    cells = list(map(str, scan_table(rows).rows[0]))
    assert cells == ["clotho", "c", "base", "1.00 [0.00, 2.00]", "1.00", "", "50%", "1"]


def test_a_folder_without_evaluations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no evaluation in it"):
        scan_folder(tmp_path)
