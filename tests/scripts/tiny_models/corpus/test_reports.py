"""Reports of rebuilt clips, and the table of a rebuilt corpus."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

from tiny_models.corpus.reports import Outcome, Status, read_report, summary, write_clips, write_report
from tiny_models.corpus.sources import Source

ALIKE = Outcome("a.ogg", "bells", Status.ALIKE, 1.0, 0.99, "1.2")
GONE = Outcome("b.ogg", "horns", Status.GONE, note="horns: no such package")


def source(filename: str) -> Source:
    return Source(filename, "1", "bell", "Bell", "/m/1", "a bell", "pypi", "p", "1", "a", "bell:1", "MIT", "Ann")


def test_a_report_is_read_back(tmp_path: Path) -> None:
    report = {"a.ogg": ALIKE, "b.ogg": GONE}
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report


def test_there_is_no_report_before_the_first_run(tmp_path: Path) -> None:
    assert read_report(tmp_path) == {}


def test_a_summary_counts_outcomes_by_package() -> None:
    table = summary([ALIKE, GONE, GONE]).set_index("package")
    assert table.loc["bells", "alike"] == 1
    assert table.loc["horns"].to_dict() == {"rebuilt": 0, "alike": 0, "different": 0, "rendered": 0, "gone": 2}


def test_the_table_of_clips_has_those_that_were_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "a.ogg", np.zeros(4000), 8000)
    write_clips(tmp_path, [source("a.ogg"), source("b.ogg")])
    with open(tmp_path / "clips.csv", encoding="utf-8", newline="") as stream:
        [row] = csv.DictReader(stream)
    assert (row["filename"], row["source"], row["seconds"], row["sample_rate"]) == ("a.ogg", "p (PyPI)", "0.5", "8000")
