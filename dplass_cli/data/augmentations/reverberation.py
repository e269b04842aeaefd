"""Convolution of each source with a room impulse response."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import oaconvolve

from dplass_cli.audio.folders import audio_files
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.data.augmentations.base import Scene
from dplass_cli.options.augmentation_settings import ReverberationSettings

impulse_responses = lru_cache(maxsize=16)(audio_files)
"""The impulse responses below a folder."""


def reverberate(settings: ReverberationSettings, scene: Scene, rng: np.random.Generator) -> Audio:
    """Convolve sources (S, T) with impulse responses; each source keeps its energy."""
    responses = impulse_responses(settings.folder)
    reverberant = scene.sources.copy()
    for source in reverberant:
        if rng.random() < settings.probability:
            response = _read_response(responses[rng.integers(len(responses))], scene.sample_rate)
            direct = int(np.abs(response).argmax())
            wet = oaconvolve(source, response)[direct : direct + len(source)]
            energy = float(np.square(wet).sum())
            if energy > 0:
                source[:] = wet * np.sqrt(float(np.square(source).sum()) / energy)
    return reverberant


@lru_cache(maxsize=256)
def _read_response(path: Path, sample_rate: int) -> Audio:
    return read_mono(path, sample_rate)
