"""Augmentations of mel spectrograms, on which audio towers are trained: crops, faint second sounds, rooms, devices.

Sounds are mixed as mel spectrograms: with random phases, energies add up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders.tiny import AudioTower
from dplass_cli.options.encoder_settings import TinyEncoderConfig

INTERFERENCE_DB = (-40.0, -3.0)
"""Range of the level of a second sound relative to the first, dB."""

_REVERBERATION_SECONDS = (0.1, 1.0)  # time of a decay by 60 dB
_REVERBERANT_DB = (-13.0, 13.0)  # reverberant re direct energy: from a near microphone to one across the room
_LOUDEST_OF = 3  # random crops


class MelSpectrogramEnergy(NamedTuple):
    """A sound.

    Attributes:
        mel: float32 (mels, frames), its mel spectrogram.
        energy: float32 (frames,), the mean square of each frame.
    """

    mel: Tensor
    energy: Tensor


@torch.no_grad()
def mel_energy(tower: AudioTower, audio: Tensor, hop: int) -> MelSpectrogramEnergy:
    """The mel spectrogram of a waveform, float32 (T,), as a tower of this ``hop`` receives it, and its energies."""
    frames = len(audio) // hop
    audio = audio[: frames * hop]
    energy = audio.reshape(frames, hop).square().mean(dim=1)
    return MelSpectrogramEnergy(tower.mel(audio[None])[0, :, :frames], energy)


def loudest_crop(sound: MelSpectrogramEnergy, frames: int, rng: np.random.Generator) -> MelSpectrogramEnergy:
    """The loudest of three random crops, padded with silence at the end."""
    starts = rng.integers(0, max(1, len(sound.energy) - frames + 1), _LOUDEST_OF).tolist()
    start = max(starts, key=lambda start: float(sound.energy[start : start + frames].sum()))
    mel, energy = sound.mel[:, start : start + frames], sound.energy[start : start + frames]
    missing = (0, frames - len(energy))
    return MelSpectrogramEnergy(F.pad(mel, missing), F.pad(energy, missing))


def add(scene: MelSpectrogramEnergy, other: MelSpectrogramEnergy, gain_db: float) -> MelSpectrogramEnergy:
    """A scene plus another sound of as many frames, scaled to be ``gain_db`` louder."""
    ratio = float(scene.energy.mean() / other.energy.mean().clamp(min=1e-9))
    gain = min(ratio, 1e6) * 10 ** (gain_db / 10)
    return MelSpectrogramEnergy(scene.mel + gain * other.mel, scene.energy + gain * other.energy)


def at_unit_level(scene: MelSpectrogramEnergy) -> Tensor:
    """The input of a tower, (mels, frames), for a scene as it is."""
    return AudioTower.compress(scene.mel / scene.energy.mean().clamp(min=1e-10))


def augmented(
    scene: MelSpectrogramEnergy,
    rng: np.random.Generator,
    config: TinyEncoderConfig,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The input of a tower, (mels, frames), for a scene as other rooms and microphones would give it.

    A random equaliser, an exponential decay after every frame (the energy of a room's reverberation), a limit of the
    band and a floor of noise (a phone, a codec), and masked stripes (SpecAugment).

    Args:
        scene: the sound.
        rng: draws which of these are applied, and how strong.
        config: of the tower.
        generator: draws random spectra; None for torch's own.
    """
    mels, frames = scene.mel.shape
    height = torch.linspace(-1, 1, mels)
    tilt, bend = torch.randn(2, generator=generator)
    ripple = 0.03 * torch.randn(mels, generator=generator).cumsum(dim=0)
    curve = 0.4 * tilt * height + 0.4 * bend * height.square() + ripple
    mel = scene.mel * 10 ** curve[:, None] / scene.energy.mean().clamp(min=1e-10)
    if rng.random() < 0.4:
        decay = rng.uniform(*_REVERBERATION_SECONDS) * config.sample_rate / config.hop
        mel = reverberated(mel, decay, rng.uniform(*_REVERBERANT_DB))
    if rng.random() < 0.25:
        mel[int(rng.integers(mels // 2, mels)) :] *= 1e-4
    if rng.random() < 0.25:
        mel = mel + 10 ** rng.uniform(-4.0, -1.0) * torch.rand(mel.shape, generator=generator)
    masked = AudioTower.compress(mel)
    if rng.random() < 0.5:
        low = int(rng.integers(0, max(1, mels - 8)))
        masked[low : low + int(rng.integers(1, 9))] = masked.mean()
    if rng.random() < 0.5:
        first = int(rng.integers(0, max(1, frames - 10)))
        masked[:, first : first + int(rng.integers(1, max(2, frames // 5)))] = masked.min()
    return masked


def reverberated(mel: Tensor, decay: float, reverberant_db: float) -> Tensor:
    """Energies (mels, T) as a room gives them: the direct sound, and each frame's exponential decay. Energy is kept.

    Args:
        mel: of the sound without a room.
        decay: frames within which the reverberation falls by 60 dB.
        reverberant_db: energy of the reverberation re that of the direct sound.
    """
    length = max(2, round(decay))
    kernel = 10.0 ** (-6.0 * torch.arange(length, dtype=mel.dtype) / decay)
    room = 10 ** (reverberant_db / 10) * kernel / kernel.sum()
    room[0] += 1.0
    room /= room.sum()
    smeared = F.conv1d(F.pad(mel[:, None], (length - 1, 0)), room.flip(0)[None, None])
    return smeared[:, 0]
