"""The page of reports: content is escaped, and the page works in a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dplass_cli.evaluation.table import Figure
from dplass_cli.reports.page import Section, folded, heading, picture, player, row, table, text, write_page

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'n' </td>"
RATES = (8000, 32000, 44100, 96000)


def _tone(rate: int, seconds: float = 1.5, peak: float = 0.5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return (peak * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    cells = [["ten", Figure(10.0, ".1f"), 2], ["nine", Figure(9.25, ".1f"), 11], ["none", Figure(None), 1]]
    sections = [
        Section("Figures & more", [text("said", "soft"), table(["name", "value", "count"], cells, filtered=True)]),
        Section("Sounds", [row(player(_tone(rate), rate, f"{rate} Hz {HOSTILE}") for rate in RATES)]),
        Section("Nothing", []),
        Section("Rest", [heading(HOSTILE), folded("more", [text("inside")]), picture(b"\x89PNG", HOSTILE, "below")]),
    ]
    write_page(tmp_path / "report.html", HOSTILE, [HOSTILE], sections)
    return tmp_path / "report.html"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def _tags(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(page.read_text())
    return parser.seen


def test_content_is_escaped_and_nothing_is_loaded_from_elsewhere(report: Path) -> None:
    tags = _tags(report)
    assert sum(tag == "script" for tag, _ in tags) == 1
    sources = [given["src"] for _, given in tags if given.get("src")]
    assert sources
    assert all(source.startswith("data:") for source in sources if source)
    assert [given["alt"] for tag, given in tags if tag == "img"] == [HOSTILE]
    assert not re.search(r"https?://", report.read_text())


def test_the_navigation_lists_sections_without_empty_ones(report: Path) -> None:
    tags = _tags(report)
    links = [given["href"] for tag, given in tags if tag == "a"]
    assert links == ["#figures-more", "#sounds", "#rest"]
    assert {link[1:] for link in links if link} <= {given.get("id") for _, given in tags}


def test_the_same_parts_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    parts = [table(["a"], [["b"]], filtered=True), player(_tone(32000), 32000, "tone")]
    for name in ("one", "two"):
        write_page(tmp_path / f"{name}.html", "t", [], [Section("s", parts)])
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_audio_above_full_scale_is_scaled_not_clipped() -> None:
    import base64
    import io

    import soundfile

    loud = player(_tone(32000, peak=3.0), 32000, "loud")
    encoded = re.search(r"base64,([^\"]+)\"", loud)
    assert encoded is not None
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded[1])))
    middle = audio[rate // 4 : rate]
    assert rate == 32000
    assert np.sqrt(np.mean(np.square(middle))) == pytest.approx(1 / np.sqrt(2), rel=0.03)  # a square wave would have 1


@pytest.mark.browser
def test_the_page_loads_without_errors_and_its_tables_sort_and_filter(report: Path, chromium: Any) -> None:
    page, errors = chromium(report)
    names = lambda: page.locator("tbody tr:visible td:first-child").all_inner_texts()  # noqa: E731
    assert names() == ["ten", "nine", "none"]
    page.get_by_role("button", name="value").click()
    assert names() == ["ten", "nine", "none"]  # numbers begin with the largest; none is last
    page.get_by_role("button", name="value").click()
    assert names() == ["nine", "ten", "none"]
    assert page.locator("th").nth(1).get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="name").click()
    assert names() == ["nine", "none", "ten"]
    page.get_by_role("searchbox").fill("NI ne")
    assert names() == ["nine"]
    assert page.locator("output").inner_text() == "1 of 3"
    durations = page.evaluate("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert durations == pytest.approx([1.5] * len(RATES), abs=0.15)
    assert errors == []
