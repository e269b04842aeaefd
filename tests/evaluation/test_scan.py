"""All evaluations below a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_scores import write_evaluation

from dplass_cli.errors import InputError
from dplass_cli.evaluation.scan import scan_folder, scan_table


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
