"""The page about a prepared manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.data.prepare.prepare_result import AudioSummary, ClassCount, PrepareResult
from dplass_cli.reports.preparation_report import verdict, write_report


def result(**changes: object) -> PrepareResult:
    known: dict[str, object] = {
        "manifest": Path("train.json"),
        "rejects": Path("rejects.csv"),
        "segments": 1000,
        "used_clips": 990,
        "rows": 1200,
        "rejected": {"missing": 7, "truncated": 3},
        "classes": {f"Class <{n}> $x$": ClassCount(100 - n, n) for n in range(60)},
        "audio": AudioSummary(2.75, {44100: 900, 8000: 90}, {1: 990}),
        "cleaned": {"a dog dog -> A dog": 12},
    }
    return PrepareResult(**{**known, **changes})  # type: ignore[arg-type]


def test_the_page_shows_classes_reasons_and_changes(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", result(), "dplass prepare folder clips")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (
        "1,200 rows from 990 of 1,000 clips",
        "2.75 hours",
        "missing",
        "0.70",
        "44,100",
        "dog dog -&gt; A",
    ):
        assert words in page
    assert "Class &lt;59&gt; $x$" in page
    assert "The 40 most frequent of 60 classes" in page
    assert page.count("data:image/png;base64,") == 1
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize("changes", [{"classes": {}, "cleaned": {}, "audio": None, "rejected": {}}])
def test_empty_sections_are_omitted(tmp_path: Path, changes: dict[str, object]) -> None:
    write_report(tmp_path / "report.html", result(**changes), "dplass prepare folder clips")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Every clip is used." in page
    assert "<h2" in page
    assert "Classes" not in page


def test_the_verdict_names_the_share_and_the_most_frequent_reason() -> None:
    assert (
        verdict(result())
        == "990 of 1,000 clips (99%) are used; the most frequent reason not to use one is “missing” (7)."
    )
    assert verdict(result(rejected={})) == "990 of 1,000 clips (99%) are used."


def test_the_page_names_the_command(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", result(), "dplass prepare folder <clips>")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<span>prepare</span> <span>folder</span> <span>&lt;clips&gt;</span>" in page
