"""The report of an evaluation: self-contained, and working in a browser."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, cast

import pytest
from made_scores import policy_score
from small_banks import write_small_bank

from dplass_cli.evaluation.evaluation_run import EvaluateResult, EvaluationRun
from dplass_cli.evaluation.scores import PolicyScore, Scores
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.records import write_rows
from dplass_cli.reports.evaluation_report import example_condition, verdict
from dplass_cli.storage import read_json

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
    for policy in ("text-knn", "audio", "blend", "oracle (best adapter)"):
        assert policy in page


def test_the_page_begins_with_a_verdict_on_the_default(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    verdict = re.search(r'<p class="verdict">(.*?)</p>', page)
    assert verdict is not None
    assert re.match(r"The default, text, .* dB SDRi on 6 items\.$", verdict[1])


def test_the_default_is_marked_and_its_items_are_played(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert re.search(r'<tr class="marked"><td data-label="policy">text \(default\)</td>', page)
    assert "Worst under text</h3>" in page


def test_the_page_names_date_command_and_models(folder: Path) -> None:
    page = re.sub(r"</?span>", "", (folder / "report.html").read_text())
    assert re.search(r"<dt>Date</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>", page)
    assert f"<code>dplass evaluate --metadata-csv {folder.parent}/table.csv --output {folder}" in page
    results = read_json(folder / "results.json")
    assert results["default"] == "text"
    for sha256 in (results["base_sha256"], results["encoder_fingerprint"], *results["adapters_sha256"].values()):
        assert f"<code>{sha256}</code>" in page


def test_matrices_are_folded(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    folded = re.findall(r"<summary>(.*?)</summary>", page)
    for title in (
        "Mean SDRi (dB) per class and policy",
        "Mean SDRi (dB) per domain and policy",
        "text: chosen adapters against the oracle&#39;s",
        "SDRi (dB) of 6 items under every policy",
    ):
        assert title in folded


def test_domains_are_named_next_to_their_ids_with_their_captions(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    cell = '<td data-label="domain">1 rain</td><td data-label="captions">rain; helicopter</td>'
    assert cell in page


def scored(**policies: PolicyScore) -> EvaluateResult:
    """A result of some policies, without items; ``text`` is the default."""
    scores = Scores(policies, {}, {}, {}, {}, {}, [])
    return EvaluateResult(cast(EvaluationRun, None), {}, True, scores, default="text")


@pytest.mark.parametrize(
    ("difference", "interval", "words"),
    [
        (0.5, (0.2, 0.8), "The default, text, is better than the base (+0.50 dB, 95% interval +0.20 to +0.80 dB)"),
        (-0.5, (-0.8, -0.2), "The default, text, is worse than the base"),
        (0.1, (-0.2, 0.4), "The default, text, cannot be told apart from the base"),
        (0.5, (math.nan, math.nan), "The default, text, reaches 7.00 dB SDRi on 10 items, +0.50 dB over the base."),
    ],
)
def test_the_verdict_follows_the_interval(difference: float, interval: tuple[float, float], words: str) -> None:
    result = scored(base=policy_score(), text=policy_score(difference=difference, difference_ci=interval))
    assert words in verdict(result)


def test_the_verdict_says_that_the_default_was_not_evaluated() -> None:
    result = scored(base=policy_score(), blend=policy_score(difference=0.5, difference_ci=(0.2, 0.8)))
    assert verdict(result).startswith("blend is better")
    assert verdict(result).endswith("; the default, text, was not evaluated.")


def test_examples_are_of_the_default_wherever_it_stands() -> None:
    assert example_condition(scored(base=policy_score(), audio=policy_score(), text=policy_score())) == "text"
    assert example_condition(scored(base=policy_score(), audio=policy_score())) == "audio"


@pytest.mark.browser
def test_a_browser_loads_plays_sorts_and_filters_without_errors(folder: Path, chromium: Any) -> None:
    page, errors = chromium(folder / "report.html")
    assert errors == []
    durations = page.evaluate("[...document.querySelectorAll('audio')].map(a => a.duration)")
    assert durations == pytest.approx([5.0] * 12, abs=0.1)
    section = page.locator("section", has=page.locator("#all-items"))
    section.locator("summary").click()
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


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_tables_fit_the_screen_and_dark_mode_is_dark(folder: Path, chromium: Any, width: int) -> None:
    page, errors = chromium(folder / "report.html", width)
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    frames = "[...document.querySelectorAll('table')].map(table => table.parentElement)"
    assert page.evaluate(f"{frames}.filter(frame => frame.scrollWidth > frame.clientWidth).length") == 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", background))) < 150
    assert errors == []
