"""The one table of results in its renderings."""

from __future__ import annotations

import io

import pytest
from made_scores import policy_score
from rich.console import Console

from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.table import BOUND_NOTE, DEFAULT_NOTE, Figure, Table, policy_table
from dplass_cli.reports.page import result_table

NAN = float("nan")


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(7.125), "7.12"),
        (Figure(7.125, interval=(6.9, 7.314)), "7.12 [6.90, 7.31]"),
        (Figure(0.5, "+.2f", (-0.25, 1.25)), "+0.50 [-0.25, +1.25]"),
        (Figure(0.255, ".0%"), "26%"),
        (Figure(200, "d"), "200"),
        (Figure(1.0, interval=(NAN, NAN)), "1.00"),
        (Figure(None), ""),
        (Figure(NAN), ""),
    ],
)
def test_figures_as_text(figure: Figure, text: str) -> None:
    assert str(figure) == text


def example() -> Table:
    policies = {
        "base": policy_score(difference=0.0, difference_ci=(0.0, 0.0), regret=1.5),
        "text": policy_score(difference=0.5, difference_ci=(0.25, 0.75), regret=1.0, accuracy=0.4),
        "oracle": policy_score(sdri=8.0, bound=True, regret=0.0, accuracy=1.0),
    }
    return policy_table("Title", policies)


def printed(table: Table) -> str:
    stream = io.StringIO()
    Console(file=stream, width=140).print(table.rich())
    return stream.getvalue()


def test_every_rendering_shows_every_column_and_figure() -> None:
    table = example()
    texts = [text for row in (table.columns, *table.rows) for text in map(str, row)]
    for rendering in (printed(table), table.markdown(), str(result_table(table))):
        assert all(text in rendering for text in texts)
        assert " ".join(BOUND_NOTE.split()[:8]) in rendering


def test_markdown_aligns_numbers_to_the_right() -> None:
    lines = example().markdown().splitlines()
    assert lines[0] == "Title"
    assert lines[3] == "|---|---:|---:|---:|---:|---:|---:|---:|"
    assert (
        lines[5] == "| text | 7.00 [6.00, 8.00] | 6.00 [5.00, 7.00] | +0.50 [+0.25, +0.75] | 1.00 | 40% | 0.500 | 10 |"
    )


def test_html_columns_sort_by_the_number_without_its_interval() -> None:
    html = str(result_table(example()))
    assert 'data-value="7.0">7.00 [6.00, 8.00]</td>' in html


def test_the_base_has_no_difference_to_itself() -> None:
    row = dict(zip(example().columns, map(str, example().rows[0]), strict=True))
    assert row["over base (dB) [95%]"] == ""


def test_a_bound_is_labelled_and_explained() -> None:
    table = example()
    assert [row[0] for row in table.rows] == ["base", "text", "oracle (best adapter)"]
    assert "best adapter by SDRi + SI-SDR" in table.note
    assert policy_table("", {"base": policy_score()}).note == ""


def test_the_default_is_marked_in_every_rendering() -> None:
    policies = {"base": policy_score(), "text": policy_score()}
    table = policy_table("Title", policies, default="text")
    assert table.marked == [1]
    assert table.note == DEFAULT_NOTE
    assert '<tr class="marked">' in str(result_table(table)).split("text")[0]
    assert "| text (default) |" in table.markdown()
    assert "text (default)" in printed(table)


def test_a_default_that_was_not_evaluated_is_not_mentioned() -> None:
    table = policy_table("Title", {"base": policy_score()}, default="text")
    assert (table.note, table.marked) == ("", [])


def test_published_results_stand_below_the_policies() -> None:
    table = policy_table("", {"base": policy_score()}, find_benchmark("esc50"))
    name, sdri, *_, items = map(str, table.rows[1])
    assert (name, sdri, items) == ("AudioSep, published (compare with base)", "10.04", "2000")
