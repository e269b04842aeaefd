"""Plots of an evaluation: sizes that follow the contents, and unusual values."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from dplass_cli.reports.evaluation_plots import class_bars, confusion, differences, histogram


def size(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    opened: tuple[int, int] = Image.open(io.BytesIO(picture)).size
    return opened


def test_a_histogram_shows_items_of_equal_sdri() -> None:
    assert size(histogram({"base": np.full(5, 3.0), "text": np.full(5, 3.0)})) == (879, 439)


def test_a_histogram_differs_where_a_policy_differs() -> None:
    values = np.arange(20.0)
    assert histogram({"base": values}) != histogram({"base": values + np.linspace(0, 5, 20)})


def test_bars_are_shown_for_every_class_of_a_few() -> None:
    picture, shown = class_bars({"dog": {"base": 1.0, "text": 2.0}, "rain": {"base": 3.0, "text": 1.0}})
    assert shown == 2
    assert size(picture)[0] == 879


def test_of_many_classes_forty_are_shown() -> None:
    _, shown = class_bars({f"class {n}": {"base": 0.0, "text": float(n)} for n in range(60)})
    assert shown == 40


def test_of_many_classes_those_where_policies_agree_are_left_out() -> None:
    classes = {f"class {n}": {"base": 0.0, "text": float(n)} for n in range(60)}
    changed = {
        name: ({"base": 9.0, "text": 9.0 + n} if n < 20 else row) for n, (name, row) in enumerate(classes.items())
    }
    assert class_bars(classes) == class_bars(changed)


def test_a_confusion_grows_with_the_number_of_adapters() -> None:
    few, many = ({f"domain{n}": f"Domain $ {n}" for n in range(count)} for count in (2, 7))
    counts = {"domain0": {"domain1": 3}}
    assert size(confusion(counts, few, "text")) < size(confusion(counts, many, "text"))


def test_counts_are_drawn_in_a_confusion() -> None:
    names = {"domain0": "a", "domain1": "b"}
    assert confusion({"domain0": {"domain1": 3}}, names, "text") != confusion(
        {"domain1": {"domain0": 3}}, names, "text"
    )


def test_differences_get_a_line_each() -> None:
    rows = [(f"run {n}", 0.5, (0.1, 0.9)) for n in range(10)]
    assert size(differences(rows, "base"))[1] - size(differences(rows[:5], "base"))[1] == round(5 * 0.26 * 157)
