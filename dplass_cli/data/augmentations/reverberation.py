"""Rooms: each source heard through an impulse response."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import oaconvolve

from dplass_cli.audio.folders import audio_files
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.data.augmentations.base import Scene, check_probability


@dataclass(frozen=True)
class Reverberation:
    """Convolves each source with an impulse response drawn from the audio files below ``folder``.

    The direct sound (the response's largest sample) keeps its time, and a source keeps its energy. The reverberant
    source is what is to be separated.

    Raises:
        InputError: the folder holds no audio, or a response cannot be read.
    """

    folder: Path
    probability: float = 0.3

    def __post_init__(self) -> None:
        check_probability(self.probability)
        _responses(self.folder)  # so that a wrong folder stops a run before it begins

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Audio:
        """See :class:`~dplass_cli.data.augmentations.base.Augmentation`."""
        responses = _responses(self.folder)
        heard = scene.sources.copy()
        for source in heard:
            if rng.random() < self.probability:
                response = _response(responses[rng.integers(len(responses))], scene.sample_rate)
                direct = int(np.abs(response).argmax())
                wet = oaconvolve(source, response)[direct : direct + len(source)]
                energy = float(np.square(wet).sum())
                if energy > 0:
                    source[:] = wet * np.sqrt(float(np.square(source).sum()) / energy)
        return heard


_responses = lru_cache(maxsize=16)(audio_files)


@lru_cache(maxsize=256)
def _response(path: Path, sample_rate: int) -> Audio:
    return read_mono(path, sample_rate)
