"""The report of an evaluation: self-contained, and working in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from small_banks import write_small_bank

from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.records import write_rows

NAMES = ("dog_bark", "rain", "siren", "flute", "owl_hoot", "helicopter")


@pytest.fixture(scope="module")
def folder(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation of six items whose queries contain HTML."""
    root = tmp_path_factory.mktemp("report")
    base, bank = write_small_bank(root)
    rows = [
        {"idx": idx, "caption": f"{name} <b> & $x$", "src_wav": clips[name], "noise_wav": clips["typing"], "snr_db": 0}
        for idx, name in enumerate(NAMES)
    ]
    rows.append({**rows[0], "idx": 6, "src_wav": root / "gone.wav"})
    write_rows(root / "table.csv", list(rows[0]), rows)
    options = EvaluateOptions(
        output=root / "evaluation",
        metadata_csv=root / "table.csv",
        base_checkpoint=str(base),
        encoder="tiny",
        adapters=(str(bank),),
        max_missing=0.5,
        examples=2,
        device="cpu",
    )
    evaluate(options)
    return root / "evaluation"


def test_the_page_contains_every_section_and_escapes_queries(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert page.count("<audio") == 2 * 2 * 3
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert titles == ["Policies", "Worst and best items", "Classes", "Domains", "Adapters", "All items", "Left out"]
    assert "gone.wav: no such audio file" in page
    assert "dog_bark &lt;b&gt; &amp; $x$" in page
    pictures = re.findall(r'<img[^>]*alt="([^"]*)"', page)
    assert pictures[:2] == ["SDRi over that of the base, a point per policy", "Histogram of SDRi, a line per policy"]
    for policy in ("text-knn", "audio", "blend", "oracle (upper bound)"):
        assert policy in page


@pytest.mark.browser
def test_a_browser_loads_plays_sorts_and_filters_without_errors(folder: Path, chromium: Any) -> None:
    page, errors = chromium(folder / "report.html")
    assert errors == []
    durations = page.evaluate("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert durations == pytest.approx([5.0] * 12, abs=0.1)
    section = page.locator("section", has=page.locator("#all-items"))
    shown = lambda: section.locator("tbody tr:visible td:first-child").all_inner_texts()  # noqa: E731
    assert sorted(shown()) == [str(idx) for idx in range(6)]
    section.get_by_role("button", name="base", exact=True).click()
    values = [float(cell) for cell in section.locator("tbody tr td:nth-child(4)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    section.get_by_role("searchbox").fill("siren")
    assert shown() == ["2"]


@pytest.mark.browser
def test_on_a_phone_nothing_is_wider_than_the_screen(folder: Path, chromium: Any) -> None:
    page, errors = chromium(folder / "report.html", 390, 844)
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.querySelectorAll('img')].every(i => i.getBoundingClientRect().width <= 390)")
