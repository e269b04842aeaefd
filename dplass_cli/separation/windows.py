"""Windows over long audio: each has real context on both sides, and what the context yields is discarded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dplass_cli.audio.reading import Audio, read_blocks
from dplass_cli.options.network_settings import NetworkConfig

CORE_SECONDS, CONTEXT_SECONDS = 8.0, 1.0


@dataclass(frozen=True)
class Window:
    """A range of samples that is separated at once, and the part of it that is kept.

    Attributes:
        start: first sample of the input, in the whole audio.
        stop: sample after the input's last.
        first: first sample of the output that is kept, in the whole audio.
        last: sample after the last that is kept.
    """

    start: int
    stop: int
    first: int
    last: int

    @property
    def kept(self) -> slice:
        """The kept part, relative to the start of the window."""
        return slice(self.first - self.start, self.last - self.start)


class WindowLayout(NamedTuple):
    """Samples that a window keeps (``core``), and samples on either side of them (``context``)."""

    core: int
    context: int


def window_layout(sample_rate: int, config: NetworkConfig) -> WindowLayout:
    """The lengths of the windows over a recording of ``sample_rate`` Hz.

    Both lengths are multiples of the period after which the samples of both rates coincide and, if the common multiple
    is no longer than a core, of the network's time grid (the frames that its downsampling joins). Otherwise
    :func:`before_grid` samples are left out of each window, for which there is more context. Every window is therefore
    resampled at the same instants, and cut into the same frames, as the whole recording would be.
    """
    common = math.gcd(sample_rate, config.sample_rate)
    network_period, recording_period = config.sample_rate // common, sample_rate // common
    grid = config.grid[0] * config.hop
    unit, context_seconds = math.lcm(grid, network_period) // network_period * recording_period, CONTEXT_SECONDS
    if unit > CORE_SECONDS * sample_rate and unit > recording_period:
        unit, context_seconds = recording_period, CONTEXT_SECONDS + grid / config.sample_rate
    return WindowLayout(
        core=max(1, round(CORE_SECONDS * sample_rate / unit)) * unit,
        context=math.ceil(context_seconds * sample_rate / unit) * unit,
    )


def before_grid(start: int, sample_rate: int, config: NetworkConfig) -> int:
    """Samples at the network's rate from the start of a window to the next point of the network's time grid.

    ``start`` is the window's first sample at ``sample_rate`` Hz; windows of :func:`window_layout` start at a sample of
    both rates.
    """
    return -(start * config.sample_rate // sample_rate) % (config.grid[0] * config.hop)


def windows(length: int, core: int, context: int) -> Iterator[Window]:
    """Cover ``length`` samples by cores of ``core`` samples with up to ``context`` samples around each.

    Short audio (no longer than a core and its contexts) is one window.
    """
    if length <= core + 2 * context:
        yield Window(0, length, 0, length)
        return
    for first in range(0, length, core):
        last = min(length, first + core)
        yield Window(max(0, first - context), min(length, last + context), first, last)


WindowedAudio = Iterator[tuple[Window, Audio]]
"""Windows of a recording in their order, each with its samples, float32 (C, n)."""


def audio_windows(audio: Audio, layout: WindowLayout) -> WindowedAudio:
    for window in windows(audio.shape[-1], *layout):
        yield window, audio[:, window.start : window.stop]


def file_windows(path: Path, frames: int, layout: WindowLayout, track: int = 0) -> WindowedAudio:
    """The windows of a track of ``frames`` samples, read once; InputError if it is damaged or shorter."""
    all_windows = list(windows(frames, *layout))
    stops = pairwise([0, *(window.stop for window in all_windows)])
    blocks = read_blocks(path, (stop - previous for previous, stop in stops), track=track)
    # Adjacent windows overlap by their contexts, so each keeps the end of the one before it.
    samples, begin = np.empty((0, 0), np.float32), 0
    for window, block in zip(all_windows, blocks, strict=True):
        samples = np.concatenate((samples[:, window.start - begin :], block), axis=1) if samples.size else block
        begin = window.start
        yield window, samples
