"""SpecAugment masks, shared by all sources."""

from __future__ import annotations

import numpy as np
import torch

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import MaskingSettings

_N_FFT, _HOP = 1024, 256


def mask_scene(settings: MaskingSettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Set the same random bands and stretches of all sources (S, T) to zero."""
    length = scene.sources.shape[-1]
    if rng.random() >= settings.probability or length <= _N_FFT:
        return scene.sources
    window = torch.hann_window(_N_FFT)
    spectrum = torch.stft(torch.from_numpy(scene.sources), _N_FFT, _HOP, window=window, return_complex=True)
    _, bins, frames = spectrum.shape
    for _ in range(settings.frequency_masks):
        first, past = _random_span(rng, bins, round(settings.frequency_share * bins))
        spectrum[:, first:past] = 0
    for _ in range(settings.time_masks):
        first, past = _random_span(rng, frames, round(settings.time_seconds * scene.sample_rate / _HOP))
        spectrum[:, :, first:past] = 0
    masked: Audio = torch.istft(spectrum, _N_FFT, _HOP, window=window, length=length).numpy()
    return masked


def _random_span(rng: np.random.Generator, length: int, longest: int) -> tuple[int, int]:
    size = int(rng.integers(0, min(longest, length), endpoint=True))
    first = int(rng.integers(0, length - size, endpoint=True))
    return first, first + size
