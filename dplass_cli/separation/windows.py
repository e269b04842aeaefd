"""Long audio in windows with real context on both sides; what the context yields is thrown away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.streaming import read_blocks
from dplass_cli.models.resunet30 import ResUNet30Config

CORE_SECONDS, CONTEXT_SECONDS = 8.0, 1.0


@dataclass(frozen=True)
class Window:
    """Samples [start, stop) go in; of the output, [first, last) of the whole audio is kept."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def kept(self) -> slice:
        """Where what is kept lies in the window."""
        return slice(self.first - self.start, self.last - self.start)


@dataclass(frozen=True)
class Layout:
    """Samples of a recording that a window keeps, and of the context on either side of them."""

    core: int
    context: int


def layout(sample_rate: int, config: ResUNet30Config) -> Layout:
    """Lay windows out for a recording of ``sample_rate`` Hz.

    Both lengths are whole cells of the network's grid and whole periods of the resampling between both rates, so that
    in every window the cells and the resampled instants are those of the whole recording.
    """
    common = math.gcd(sample_rate, config.sample_rate)
    there, here = config.sample_rate // common, sample_rate // common
    unit = math.lcm(config.grid[0] * config.hop, there) // there * here
    return Layout(
        max(1, round(CORE_SECONDS * sample_rate / unit)) * unit,
        math.ceil(CONTEXT_SECONDS * sample_rate / unit) * unit,
    )


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


Parts = Iterator[tuple[Window, Audio]]


def parts_of(audio: Audio, laid: Layout) -> Parts:
    """The windows of audio (C, T), each with its samples (C, n)."""
    for window in windows(audio.shape[-1], laid.core, laid.context):
        yield window, audio[:, window.start : window.stop]


def parts_of_file(path: Path, frames: int, laid: Layout) -> Parts:
    """The windows of a file of ``frames`` samples, read once from its beginning to its end.

    Raises:
        InputError: the file is damaged or holds fewer samples than its header says.
    """
    found = list(windows(frames, laid.core, laid.context))
    stops = pairwise([0, *(window.stop for window in found)])
    blocks = read_blocks(path, (stop - before for before, stop in stops))
    held, begin = np.empty((0, 0), np.float32), 0
    for window, block in zip(found, blocks, strict=True):
        held = np.concatenate((held[:, window.start - begin :], block), axis=1) if held.size else block
        begin = window.start
        yield window, held
