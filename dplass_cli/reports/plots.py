"""Plots, drawn without a display and without global state."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dplass_cli.domains.features import CaptionFeatures, Features, FloatArray, IntArray
from dplass_cli.domains.partition import Domain
from dplass_cli.storage import atomic_path

_MARKERS = "osD^vP<X>*"
_LABELS = 60
_LABEL_LENGTH = 28
_NAME_LENGTH = 64
_FONT = {"labels": 8, "legend": 10, "title": 13}
# Where a label may stand around its point: offset in font points, horizontal and vertical alignment.
_PLACES = (
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((0, 7), "center", "bottom"),
    ((0, -7), "center", "top"),
)


def plot_clusters(
    path: Path | str, features: CaptionFeatures, ids: IntArray, domains: Sequence[Domain], kind: Features = "audio"
) -> None:
    """Draw the captions on the two main axes of their features, coloured by domain, as a PNG.

    Args:
        features: of C captions.
        ids: int64 (C,), the domain of each caption.
        domains: K domains; those without a caption in ``features`` stand in the legend only.

    Raises:
        InputError: the folder cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = project(features.of(kind))
    figure = Figure(figsize=(11, 8.5 + 0.22 * len(domains)), dpi=130, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for position, (domain, colour) in enumerate(zip(domains, _colours(len(domains)), strict=True)):
        _draw_domain(axes, points[ids == domain.id], domain, colour, _MARKERS[position % len(_MARKERS)])
    axes.set_title(f"{len(features.captions)} captions by their {kind} features", fontsize=_FONT["title"])
    axes.set_xlabel("first principal component", fontsize=_FONT["legend"])
    axes.set_ylabel("second principal component", fontsize=_FONT["legend"])
    axes.margins(0.12)
    axes.grid(alpha=0.25)
    _draw_legend(figure, axes)
    canvas.draw()  # settles the layout, which labels are placed in
    _draw_labels(axes, canvas.get_renderer(), points, features, ids)
    with atomic_path(path) as temporary:
        canvas.print_png(str(temporary))


def project(features: FloatArray) -> FloatArray:
    """Project features (C, D) onto their two directions of greatest variance: (C, 2)."""
    centred = features - features.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    points = centred @ directions[:, ::-1][:, :2]
    padded: FloatArray = np.pad(points, [(0, 0), (0, 2 - points.shape[1])])
    return padded


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    if count <= 10:
        return [colormaps["tab10"](position) for position in range(count)]
    return [colormaps["turbo"](value) for value in np.linspace(0.05, 0.95, count)]


def _draw_domain(axes: Any, points: FloatArray, domain: Domain, colour: Any, marker: str) -> None:
    label = f"{domain.id}: {_shorten(domain.name, _NAME_LENGTH)} ({domain.clips} clips)"
    axes.scatter(*points.T, s=42, color=[colour], marker=marker, edgecolors="white", linewidths=0.6, label=label)


def _draw_legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if len(labels) <= 10 else 2
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=_FONT["legend"])
    for text in legend.get_texts():
        text.set_parse_math(False)  # a caption may hold a dollar sign


def _draw_labels(axes: Any, renderer: Any, points: FloatArray, features: CaptionFeatures, ids: IntArray) -> None:
    """Label the captions with the most clips of each domain in turn, where a label finds a free place."""
    taken: list[Any] = []
    for position in itertools.islice(_by_turns(features.clips, ids), _LABELS):
        label = _shorten(features.captions[position], _LABEL_LENGTH)
        for offset, horizontal, vertical in _PLACES:
            text = axes.annotate(
                label,
                points[position],
                xytext=offset,
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=_FONT["labels"],
                parse_math=False,
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.6, "linewidth": 0},
            )
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            if _free(box, axes.bbox, taken):
                taken.append(box)
                break
            text.remove()


def _by_turns(clips: IntArray, ids: IntArray) -> Iterator[int]:
    """Yield the positions of captions, one of each domain in turn, those with the most clips first."""
    queues = []
    for id in np.unique(ids):
        members = np.flatnonzero(ids == id)
        queues.append(members[np.argsort(-clips[members], kind="stable")].tolist())
    for turn in itertools.zip_longest(*queues):
        yield from (position for position in turn if position is not None)


def _free(box: Any, frame: Any, taken: Sequence[Any]) -> bool:
    inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
    return inside and not any(box.overlaps(other) for other in taken)


def _shorten(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
