"""Augmentations of training mixtures: one function each, and their table.

Each takes its settings, a scene and a random generator, and returns the scene's augmented sources (S, T), or (S, C, T)
with several channels, which are augmented alike; the scene is not changed. All randomness comes from the generator, so
that a sample stays a pure function of its number. The mixer matches energies afterwards, so levels among the sources
have no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from scipy.signal import oaconvolve

from dplass_cli.audio.folders import readable_files
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.options.augmentation_settings import (
    AugmentationSettings,
    GainSettings,
    MaskingSettings,
    PolaritySettings,
    RemixSettings,
    ReverberationSettings,
    ShiftSettings,
)

_N_FFT, _HOP = 1024, 256  # of the masked spectrogram


@dataclass(frozen=True)
class Scene:
    """The sources of a training mixture before they are mixed.

    Attributes:
        sources: float32 (S, T) or (S, C, T), the target first, then the interferers.
        sample_rate: Hz.
        another: reads a segment (T,) or (C, T) of another clip that the target's caption describes; None where there is
            none.
    """

    sources: Audio
    sample_rate: int
    another: Callable[[], Audio | None]


def remix_target(settings: RemixSettings, scene: Scene, rng: Generator) -> Audio:
    """Mix the target with another clip of its caption; the interferers stay."""
    if rng.random() >= settings.probability:
        return scene.sources
    share = np.float32(rng.beta(settings.alpha, settings.alpha))
    other = scene.another()
    if other is None:
        return scene.sources
    remixed = scene.sources.copy()
    remixed[0] = share * remixed[0] + (1 - share) * other
    return remixed


def shift_sources(settings: ShiftSettings, scene: Scene, rng: Generator) -> Audio:
    """Shift each source circularly."""
    largest = round(settings.seconds * scene.sample_rate)
    shifted = scene.sources.copy()
    for source in shifted:
        if rng.random() < settings.probability:
            source[:] = np.roll(source, int(rng.integers(-largest, largest, endpoint=True)), axis=-1)
    return shifted


def flip_polarity(settings: PolaritySettings, scene: Scene, rng: Generator) -> Audio:
    """Flip the sign of each source at random."""
    flipped = rng.random(len(scene.sources)) < settings.probability
    signs = np.where(flipped, -1.0, 1.0).astype(np.float32)
    return scene.sources * signs.reshape(-1, *[1] * (scene.sources.ndim - 1))


def reverberate(settings: ReverberationSettings, scene: Scene, rng: Generator) -> Audio:
    """Convolve sources with impulse responses; each source keeps its energy."""
    responses = impulse_responses(settings.folder)
    reverberant = scene.sources.copy()
    for source in reverberant:
        if rng.random() < settings.probability:
            response = _read_response(responses[rng.integers(len(responses))], scene.sample_rate)
            direct = int(np.abs(response).argmax())
            shaped = response.reshape(*[1] * (source.ndim - 1), -1)
            wet = oaconvolve(source, shaped, axes=-1)[..., direct : direct + source.shape[-1]]
            energy = float(np.square(wet).sum())
            if energy > 0:
                source[:] = wet * np.sqrt(float(np.square(source).sum()) / energy)
    return reverberant


impulse_responses = lru_cache(maxsize=16)(readable_files)
"""The impulse responses below a folder."""


@lru_cache(maxsize=256)
def _read_response(path: Path, sample_rate: int) -> Audio:
    return read_mono(path, sample_rate)


def gain_scene(settings: GainSettings, scene: Scene, rng: Generator) -> Audio:
    """Apply one random gain to all sources."""
    if rng.random() >= settings.probability:
        return scene.sources
    return scene.sources * np.float32(10.0 ** (rng.uniform(settings.lower_db, settings.higher_db) / 20.0))


def mask_scene(settings: MaskingSettings, scene: Scene, rng: Generator) -> Audio:
    """Set the same random bands and stretches of all sources to zero."""
    length = scene.sources.shape[-1]
    if rng.random() >= settings.probability or length <= _N_FFT:
        return scene.sources
    window = torch.hann_window(_N_FFT)
    signals = torch.from_numpy(scene.sources.reshape(-1, length))
    spectrum = torch.stft(signals, _N_FFT, _HOP, window=window, return_complex=True)
    _, bins, frames = spectrum.shape
    for _ in range(settings.frequency_masks):
        spectrum[:, _random_span(rng, bins, round(settings.frequency_share * bins))] = 0
    for _ in range(settings.time_masks):
        spectrum[:, :, _random_span(rng, frames, round(settings.time_seconds * scene.sample_rate / _HOP))] = 0
    masked: Audio = torch.istft(spectrum, _N_FFT, _HOP, window=window, length=length).numpy()
    return masked.reshape(scene.sources.shape)


def _random_span(rng: Generator, length: int, longest: int) -> slice:
    size = int(rng.integers(0, min(longest, length), endpoint=True))
    first = int(rng.integers(0, length - size, endpoint=True))
    return slice(first, first + size)


AUGMENTATIONS: dict[str, Callable[[Any, Scene, Generator], Audio]] = {
    "remix": remix_target,
    "shift": shift_sources,
    "polarity": flip_polarity,
    "reverberation": reverberate,
    "gain": gain_scene,
    "masking": mask_scene,
}
"""{field of :class:`AugmentationSettings`: function}."""


def augmentations(settings: AugmentationSettings) -> Iterator[Callable[[Scene, Generator], Audio]]:
    """The augmentations that are switched on, in the order of the settings' fields."""
    for field in dataclasses.fields(settings):
        chosen = getattr(settings, field.name)
        if chosen is not None:
            yield partial(AUGMENTATIONS[field.name], chosen)
