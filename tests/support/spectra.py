"""What the spectrum of a procedural sound says about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dplass_cli.sounds import render

RATE = 16000


@dataclass(frozen=True)
class Spectrum:
    """The power spectrum of a clip.

    Attributes:
        peak: the strongest frequency, Hz.
        centroid: the mean frequency weighted by power, Hz.
        flatness: geometric over arithmetic mean of the power: near 0 for tones, 0.56 for white noise.
    """

    peak: float
    centroid: float
    flatness: float


def spectrum_of(name: str, seed: int = 0) -> Spectrum:
    """Render two seconds of a sound class at 16 kHz and look at their spectrum."""
    clip = render(name, seed, 2.0, RATE).astype(np.float64)
    power = np.abs(np.fft.rfft(clip)) ** 2
    frequencies = np.fft.rfftfreq(len(clip), 1 / RATE)
    flatness = float(np.exp(np.mean(np.log(power + 1e-12))) / power.mean())
    return Spectrum(float(frequencies[power.argmax()]), float((power * frequencies).sum() / power.sum()), flatness)
