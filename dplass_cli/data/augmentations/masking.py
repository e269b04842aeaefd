"""Bands of frequency and stretches of time that nobody hears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene, check_probability

_N_FFT, _HOP = 1024, 256


@dataclass(frozen=True)
class Masking:
    """SpecAugment (Park et al. 2019, arXiv:1904.08779) of the scene, as masks of its spectrogram set to zero.

    All sources lose the same cells, so what is masked in the mixture is masked in the target too: the network learns to
    go by what is left of a sound, and is never asked for what it cannot hear.
    """

    probability: float = 0.3
    time_masks: int = 1
    time_seconds: float = 0.2
    frequency_masks: int = 1
    frequency_share: float = 0.1

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if not 0 <= self.frequency_share < 1:
            raise ValueError(f"masking.frequency_share must be at least 0 and below 1, not {self.frequency_share}")

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        length = scene.sources.shape[-1]
        if rng.random() >= self.probability or length <= _N_FFT:
            return scene.sources
        window = torch.hann_window(_N_FFT)
        spectrum = torch.stft(torch.from_numpy(scene.sources), _N_FFT, _HOP, window=window, return_complex=True)
        _, bins, frames = spectrum.shape
        for _ in range(self.frequency_masks):
            first, past = _stretch(rng, bins, round(self.frequency_share * bins))
            spectrum[:, first:past] = 0
        for _ in range(self.time_masks):
            first, past = _stretch(rng, frames, round(self.time_seconds * scene.sample_rate / _HOP))
            spectrum[:, :, first:past] = 0
        masked: Audio = torch.istft(spectrum, _N_FFT, _HOP, window=window, length=length).numpy()
        return masked


def _stretch(rng: np.random.Generator, length: int, longest: int) -> tuple[int, int]:
    size = int(rng.integers(0, min(longest, length), endpoint=True))
    first = int(rng.integers(0, length - size, endpoint=True))
    return first, first + size
