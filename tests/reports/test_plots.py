"""What all plots share: figures, PNG bytes, colours, and labels that do not overlap."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dplass_cli.reports.plots import colours, label_points, new_figure, png, shorten


def test_a_figure_has_its_size_in_inches_times_the_resolution() -> None:
    figure, _ = new_figure(4, 3, dpi=50)
    assert Image.open(io.BytesIO(png(figure))).size == (200, 150)


def test_the_bytes_of_a_figure_are_reproducible() -> None:
    assert png(new_figure(2, 2)[0]) == png(new_figure(2, 2)[0])


@pytest.mark.parametrize("count", [1, 10, 11, 40])
def test_colours_are_distinct(count: int) -> None:
    assert len(set(colours(count))) == count


def test_a_long_text_is_cut_to_its_length() -> None:
    assert shorten("a dog barking", 8) == "a dog b…"


def test_a_text_that_fits_is_put_on_one_line() -> None:
    assert shorten("a dog\n barking", 13) == "a dog barking"


def test_labels_do_not_overlap() -> None:
    figure, axes = new_figure(6, 6)
    points = np.random.default_rng(0).uniform(0, 1, (40, 2))
    axes.scatter(*points.T)
    label_points(figure, axes, [(f"label {number}", point.tolist()) for number, point in enumerate(points)])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert 10 < len(boxes) <= 40
    assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])


def test_the_most_important_label_of_a_crowded_place_stays() -> None:
    figure, axes = new_figure(3, 3)
    axes.scatter([0.5], [0.5])
    label_points(figure, axes, [(f"a rather long label {number}", (0.5, 0.5)) for number in range(20)])
    shown = [text.get_text() for text in axes.texts]
    assert "a rather long label 0" in shown
    assert len(shown) < 20


def test_a_dollar_sign_in_a_label_is_no_formula() -> None:
    figure, axes = new_figure(3, 3)
    axes.scatter([0.5], [0.5])
    label_points(figure, axes, [("$5 and $x_", (0.5, 0.5))])
    assert png(figure).startswith(b"\x89PNG")
