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
from dplass_cli.devices import device_memory
from dplass_cli.models.base import BaseModel
from dplass_cli.options.network_settings import NetworkConfig

CORE_SECONDS, CONTEXT_SECONDS = 8.0, 1.0

LONGEST = 3
"""The longest windows, in cores: with contexts, windows of 8 s compute 1.3 times the recording, of 24 s 1.1 times."""

MEMORY_SHARE = 0.25
"""The share of a device's memory that the longest windows may take."""


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


def window_layout(sample_rate: int, config: NetworkConfig, seconds: float | None = None) -> WindowLayout:
    """The lengths of windows over a recording of ``sample_rate`` Hz whose cores take about ``seconds``, 8 by default.

    Both lengths are multiples of the period after which the samples of both rates coincide and, if the common multiple
    is no longer than a core, of the network's time grid (the frames that its downsampling joins). Otherwise
    :func:`before_grid` samples are left out of each window, for which there is more context. Every window is therefore
    resampled at the same instants, and cut into the same frames, as the whole recording would be.
    """
    seconds = CORE_SECONDS if seconds is None else seconds
    common = math.gcd(sample_rate, config.sample_rate)
    network_period, recording_period = config.sample_rate // common, sample_rate // common
    grid = config.grid[0] * config.hop
    unit, context_seconds = math.lcm(grid, network_period) // network_period * recording_period, CONTEXT_SECONDS
    if unit > seconds * sample_rate and unit > recording_period:
        unit, context_seconds = recording_period, CONTEXT_SECONDS + grid / config.sample_rate
    return WindowLayout(
        core=max(1, round(seconds * sample_rate / unit)) * unit,
        context=math.ceil(context_seconds * sample_rate / unit) * unit,
    )


def longer_windows(layout: WindowLayout, length: int, most: int) -> WindowLayout:
    """Windows of up to ``most`` cores of a layout, so that less context is computed.

    They are the shortest of those that cover ``length`` samples with the fewest windows.
    """

    def count(cores: int) -> int:
        return sum(1 for _ in windows(length, cores * layout.core, layout.context))

    cores = min(range(1, max(1, most) + 1), key=lambda cores: (count(cores), cores))
    return WindowLayout(cores * layout.core, layout.context)


def fitting_windows(
    sample_rate: int, length: int, network: BaseModel, rows: int = 1, seconds: float | None = None
) -> WindowLayout:
    """The windows that the network runs on: as long as the device's memory allows, or of ``seconds``.

    Args:
        sample_rate: of the recording, Hz.
        length: of the recording in samples.
        network: the base, on its device.
        rows: signals per window that the network separates at once.
        seconds: of a core; None: by length and memory.
    """
    if seconds is not None:
        return window_layout(sample_rate, network.config, seconds)
    layout = window_layout(sample_rate, network.config)
    allowed = MEMORY_SHARE * device_memory(next(network.parameters()).device) / (rows * network.bytes_per_second)
    return longer_windows(layout, length, min(LONGEST, int((allowed * sample_rate - 2 * layout.context) / layout.core)))


def sections(window: Window, layout: WindowLayout) -> Iterator[Window]:
    """The windows of a layout that a longer window consists of; the whole window if it is no longer than one of them.

    The core of the longer window is a multiple of the layout's.
    """
    core, context = layout
    whole = window.kept == slice(0, window.stop - window.start)
    if whole and window.last - window.first <= core + 2 * context:
        yield window
        return
    for first in range(window.first, window.last, core):
        last = min(first + core, window.last)
        yield Window(max(window.start, first - context), min(window.stop, last + context), first, last)


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
    samples: Audio = np.empty((0, 0), np.float32)
    begin = 0
    for window, block in zip(all_windows, blocks, strict=True):
        samples = np.concatenate((samples[:, window.start - begin :], block), axis=1) if samples.size else block
        begin = window.start
        yield window, samples
