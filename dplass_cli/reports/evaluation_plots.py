"""Plots of an evaluation, as PNG in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from dplass_cli.evaluation.statistics import Values
from dplass_cli.reports.plots import new_figure, png, shorten

_WIDTH, _DPI = 5.6, 157  # with fonts of 9 points, readable on a phone
_BARS = 40
_COLOURS = ("#6b7686", "#1f6feb", "#17a2a2", "#8250df", "#d4870b", "#c2317a", "#3a8f3a", "#a05a2c")


def histogram(sdri: Mapping[str, Values]) -> bytes:
    """Histogram of the SDRi of items, a line per policy: {policy: dB of N items, (N,)}."""
    figure, axes = _figure(_WIDTH, 2.8)
    everything = np.concatenate(list(sdri.values()))
    low, high = np.floor(everything.min()), np.ceil(everything.max())
    bins = int(np.clip(2 * np.sqrt(len(everything) / len(sdri)), 8, 40))
    edges = np.linspace(low, max(high, low + 1.0), bins + 1)
    for (name, values), colour in zip(sdri.items(), cycle(_COLOURS), strict=False):
        counts, _ = np.histogram(values, edges)
        axes.stairs(counts, edges, label=f"{name}, mean {values.mean():.2f}", color=colour, linewidth=1.6)
    axes.axvline(0.0, color="#444", linewidth=0.8)
    axes.set_xlabel("SDRi (dB)")
    axes.set_ylabel("items")
    axes.yaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper center", ncols=1, fontsize=9, frameon=False)
    return png(figure)


def class_bars(classes: Mapping[str, Mapping[str, float]]) -> tuple[bytes, int]:
    """Bars of the mean SDRi per class, {class: {policy: dB}}, a colour per policy: (PNG, number of classes shown).

    Of many classes, those where the policies differ most are shown.
    """
    by_spread = sorted(classes, key=lambda name: max(classes[name].values()) - min(classes[name].values()))
    names = [name for name in classes if name in set(by_spread[-_BARS:])][::-1]
    policies = list(next(iter(classes.values())))
    figure, axes = _figure(_WIDTH, 1.0 + 0.11 * len(names) * max(2, len(policies)))
    height = 0.84 / len(policies)
    for position, (policy, colour) in enumerate(zip(policies, cycle(_COLOURS), strict=False)):
        places = np.arange(len(names)) + 0.42 - height * (position + 0.5)
        axes.barh(places, [classes[name][policy] for name in names], height, color=colour, label=policy)
    axes.set_yticks(np.arange(len(names)), [shorten(name, 28) for name in names], fontsize=9, parse_math=False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.axvline(0.0, color="#444", linewidth=0.8)
    axes.set_xlabel("mean SDRi (dB)")
    figure.legend(loc="outside upper center", ncols=min(4, len(policies)), fontsize=9, frameon=False)
    return png(figure), len(names)


def confusion(counts: Mapping[str, Mapping[str, int]], names: Mapping[str, str], policy: str) -> bytes:
    """Heat map of the adapters that a policy chose against those that the oracle chose.

    Args:
        counts: {chosen: {best: items}}.
        names: {adapter: display name}, in order.
    """
    keys = list(names)
    grid = np.array([[counts.get(chosen, {}).get(best, 0) for best in keys] for chosen in keys])
    size = 2.2 + 0.5 * len(keys)
    figure, axes = _figure(size + 1.6, size)
    axes.imshow(grid, cmap="Blues", aspect="equal")
    for (row, column), count in np.ndenumerate(grid):
        if count:
            dark = count > grid.max() / 2
            axes.text(column, row, str(count), ha="center", va="center", fontsize=9, color="w" if dark else "k")
    labels = [shorten(names[key], 22) for key in keys]
    axes.set_xticks(range(len(keys)), labels, rotation=40, ha="right", fontsize=9, parse_math=False)
    axes.set_yticks(range(len(keys)), labels, fontsize=9, parse_math=False)
    axes.set_xlabel("chosen by the oracle")
    axes.set_ylabel(f"chosen by {policy}")
    return png(figure)


def differences(rows: Sequence[tuple[str, float, tuple[float, float]]], reference: str) -> bytes:
    """Differences in SDRi to ``reference`` with 95% intervals, dB: (name, difference, (low, high)) of each row."""
    figure, axes = _figure(_WIDTH, 0.8 + 0.26 * len(rows))
    for place, (_, value, (low, high)) in enumerate(reversed(rows)):
        axes.plot([low, high], [place, place], color=_COLOURS[1], linewidth=2)
        axes.plot([value], [place], "o", color=_COLOURS[1], markersize=5)
    axes.set_yticks(range(len(rows)), [shorten(name, 36) for name, *_ in reversed(rows)], fontsize=9, parse_math=False)
    axes.axvline(0.0, color="#444", linewidth=0.8)
    axes.set_xlabel(f"difference of SDRi to {reference} (dB), 95% interval")
    axes.margins(y=0.2)
    return png(figure)


def _figure(width: float, height: float, dpi: int = _DPI) -> tuple[Any, Any]:
    figure, axes = new_figure(width, height, dpi)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
