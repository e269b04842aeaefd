"""Plots of a partition, as PNG bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray
from dplass_cli.domains.partition_folder import Domain
from dplass_cli.domains.quality import STABLE, Quality
from dplass_cli.reports.plots import FONT, MARKERS, colours, label_points, new_figure, png, shorten

_LABELS = 60
_LABEL_LENGTH = 28
_NAME_LENGTH = 44
_NUMBERED = 15  # largest heat map whose cells have room for numbers


def map_picture(
    features: CaptionFeatures, points: FloatArray, ids: IntArray, domains: Sequence[Domain], title: str
) -> bytes:
    """Plot captions in two dimensions, coloured by domain; those with the most clips are labelled.

    Args:
        points: float64 (C, 2).
        ids: int64 (C,), the domain of each caption.
        domains: K domains; those without a caption in ``features`` appear in the legend only.
    """
    figure, axes = new_figure(11, 8.5 + 0.22 * len(domains))
    for position, (domain, colour) in enumerate(zip(domains, colours(len(domains)), strict=True)):
        marker = MARKERS[position % len(MARKERS)]
        label = f"{_named(domain)} ({domain.clips} clips)"
        members = points[ids == domain.id]
        axes.scatter(*members.T, s=42, color=[colour], marker=marker, edgecolors="white", linewidths=0.6, label=label)
    axes.set_title(title, fontsize=FONT["title"])
    axes.set(xticks=[], yticks=[])
    axes.margins(0.12)
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if len(labels) <= 10 else 2
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=FONT["legend"])
    for text in legend.get_texts():
        text.set_parse_math(False)  # a caption may hold a dollar sign
    chosen = itertools.islice(_by_turns(features.clips, ids), _LABELS)
    label_points(figure, axes, [(shorten(features.captions[at], _LABEL_LENGTH), points[at].tolist()) for at in chosen])
    return png(figure)


def sizes_picture(domains: Sequence[Domain]) -> bytes:
    """Plot the number of clips of each domain as bars, labelled with the number of captions."""
    figure, axes = new_figure(9, 1.2 + 0.45 * len(domains))
    clips = [domain.clips for domain in domains]
    bars = axes.barh([_named(domain) for domain in domains], clips, color=colours(len(domains)))
    axes.bar_label(bars, [f"{d.clips:,} clips, {len(d.captions):,} captions" for d in domains], padding=4)
    axes.margins(x=0.35)
    axes.invert_yaxis()
    axes.set_xlabel("clips")
    _plain_names(axes.get_yticklabels())
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def similarity_picture(domains: Sequence[Domain], similarity: FloatArray) -> bytes:
    """Plot the cosines (K, K) of the domains' centroids as a heat map."""
    side = 3.5 + 0.55 * len(domains)
    figure, axes = new_figure(side + 2, side)
    image = axes.imshow(similarity, cmap="viridis", vmin=min(0.0, float(similarity.min())), vmax=1.0)
    axes.set_xticks(range(len(domains)), [str(domain.id) for domain in domains])
    axes.set_yticks(range(len(domains)), [_named(domain) for domain in domains])
    _plain_names(axes.get_yticklabels())
    if len(domains) <= _NUMBERED:
        for (line, column), value in np.ndenumerate(similarity):
            axes.text(column, line, f"{value:.2f}", ha="center", va="center", color="black" if value > 0.6 else "white")
    figure.colorbar(image, shrink=0.8, label="cosine of centroids")
    return png(figure)


def quality_picture(rows: Sequence[Quality], chosen: int) -> bytes:
    """Plot the quality measures over the number of domains, with the chosen number marked."""
    figure, axes = new_figure(9, 5)
    numbers = [row.domains for row in rows]
    for label, marker, values in (
        ("silhouette (higher is better)", "o", [row.silhouette for row in rows]),
        ("stability over seeds", "s", [row.seeds for row in rows]),
        ("stability over bootstrap samples", "D", [row.bootstrap for row in rows]),
        ("Davies–Bouldin (lower is better)", "v", [row.davies_bouldin for row in rows]),
        ("within / between distance (lower is better)", "^", [row.within_between for row in rows]),
    ):
        axes.plot(numbers, [np.nan if value is None else value for value in values], marker=marker, label=label)
    axes.axhline(STABLE, color="grey", linewidth=0.8, linestyle=":")
    axes.axvline(chosen, color="black", linewidth=1.2, linestyle="--", label=f"{chosen} domains, chosen")
    axes.set_xticks(numbers)
    axes.set_xlabel("domains")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, fontsize=FONT["legend"])
    return png(figure)


def _named(domain: Domain) -> str:
    return f"{domain.id}: {shorten(domain.name, _NAME_LENGTH)}"


def _plain_names(texts: Sequence[Any]) -> None:
    for text in texts:
        text.set_parse_math(False)


def _by_turns(clips: IntArray, ids: IntArray) -> Iterator[int]:
    """Yield the positions of captions, one of each domain in turn, those with the most clips first."""
    queues = []
    for id in np.unique(ids):
        members = np.flatnonzero(ids == id)
        queues.append(members[np.argsort(-clips[members], kind="stable")].tolist())
    for turn in itertools.zip_longest(*queues):
        yield from (position for position in turn if position is not None)
