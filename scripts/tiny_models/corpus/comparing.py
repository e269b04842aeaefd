"""Find audio in other audio, and measure how alike a rebuilt clip and an existing one are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import fftconvolve

from tiny_models.corpus.making import Audio

ALIKE_CORRELATION = 0.9
ALIKE_LENGTH = 0.05  # relative difference of the lengths
# A window with less energy than this, relative to the loudest one, counts as silent: it would correlate with anything.
SILENT = 1e-4
SLACK = 2048  # samples by which the shorter clip may project beyond the longer one


def correlate(one: Audio, other: Audio) -> float:
    """The largest normalised cross-correlation of the shorter clip with the longer one's windows, -1 to 1."""
    short, long = sorted((one.astype(np.float64), other.astype(np.float64)), key=len)
    norm = np.sqrt(np.square(short).sum())
    if not norm:
        return 0.0
    long = np.pad(long, SLACK)
    products = fftconvolve(long, short[::-1], mode="valid")
    energy = np.concatenate([[0.0], np.cumsum(np.square(long))])
    windows = energy[short.size :] - energy[: energy.size - short.size]
    floor = max(float(windows.max()) * SILENT, 1e-12)
    return float(np.max(products / (norm * np.sqrt(np.maximum(windows, floor)))))


def correlate_takes(takes: Sequence[Audio], existing: Audio) -> float:
    """The smallest correlation of a sequence's takes with an existing clip, whose gaps may differ."""
    return min(correlate(take, existing) for take in takes)


def is_alike(length_ratio: float, correlation: float, sequence: bool = False) -> bool:
    """Whether a rebuilt clip counts as the existing one; gaps may make the lengths of sequences differ."""
    return correlation >= ALIKE_CORRELATION and (sequence or abs(length_ratio - 1) <= ALIKE_LENGTH)
