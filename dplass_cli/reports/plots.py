"""Shared by all plots: figures without display or global state, colours, labels that do not overlap."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

MARKERS = "osD^vP<X>*"
FONT = {"labels": 8, "legend": 10, "title": 13}
# Positions of a label around its point: offset in font points, horizontal and vertical alignment.
_PLACES = (
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((0, 7), "center", "bottom"),
    ((0, -7), "center", "top"),
)


def new_figure(width: float, height: float, dpi: int = 130) -> tuple[Any, Any]:
    """A figure of a size in inches, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def png(figure: Any) -> bytes:
    """The figure as a PNG file's bytes."""
    stream = io.BytesIO()
    figure.canvas.print_png(stream, metadata={"Software": None})  # the same bytes from every version of Matplotlib
    return stream.getvalue()


def colours(count: int) -> list[Any]:
    """A number of distinct colours."""
    from matplotlib import colormaps

    if count <= 10:
        return [colormaps["tab10"](position) for position in range(count)]
    return [colormaps["turbo"]((position + 0.5) / count) for position in range(count)]


def shorten(text: str, length: int) -> str:
    """A text on one line, truncated to a length."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def label_points(figure: Any, axes: Any, points: Iterable[tuple[str, Sequence[float]]]) -> None:
    """Write labels next to their points (x, y), the most important first, as far as there is space."""
    figure.canvas.draw()  # computes the layout that labels are placed in
    renderer = figure.canvas.get_renderer()
    taken: list[Any] = []
    for label, point in points:
        for offset, horizontal, vertical in _PLACES:
            text = axes.annotate(
                label,
                point,
                xytext=offset,
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=FONT["labels"],
                parse_math=False,  # a caption may hold a dollar sign
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.6, "linewidth": 0},
            )
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            if _free(box, axes.bbox, taken):
                taken.append(box)
                break
            text.remove()


def _free(box: Any, frame: Any, taken: Sequence[Any]) -> bool:
    inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
    return inside and not any(box.overlaps(other) for other in taken)
