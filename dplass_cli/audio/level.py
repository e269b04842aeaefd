"""The level and the offset of a recording, and the normalisation that makes a network hear all recordings alike.

The level is the mean power of the parts that are not silent. One gain serves a whole recording, so its windows agree
with each other and quiet passages stay quiet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dplass_cli.audio.reading import Audio, AudioInfo, even_blocks, read_blocks

_FloatArray = npt.NDArray[np.float64]

_BLOCK_SECONDS = 0.1
_READ_SECONDS = 10.0
_GATE_DB = 50.0
"""Blocks that lie further below the loudest one are silence, and do not count."""

TRAINED_RANGE_DB = 12.0
"""How far the level of a training mixture may be from the input level of the network."""

_SILENT_PEAK = 1e-4
"""-80 dB relative to full scale: three steps of 16-bit samples."""


def without_offset(sound: Tensor) -> Tensor:
    """A sound without its offset, which is not part of it; float32 (T,)."""
    return sound - sound.mean() if len(sound) else sound


def is_silent(sound: Tensor) -> bool:
    """Whether a sound, float32 (T,), T at least 1, has nothing to describe: its embedding would be arbitrary."""
    return float(sound.abs().max()) <= _SILENT_PEAK


@dataclass(frozen=True)
class Normalization:
    """Maps a recording to what the network hears, (recording - offset) · gain, and its outputs back.

    Attributes:
        offset: float32 (C, 1), the mean of each channel; None changes nothing, and leaves out the gain.
        gain: amplitude factor, above 0.
    """

    offset: Tensor | None = None
    gain: float = 1.0

    def apply(self, recording: Tensor) -> Tensor:
        """Normalise float32 (..., C, n)."""
        return recording if self.offset is None else (recording - self.offset.to(recording.device)) * self.gain

    def undo(self, sounds: Tensor) -> Tensor:
        """Give separated sounds, float32 (..., C, n), the level of the recording. The offset belongs to no sound."""
        return sounds if self.offset is None else sounds / self.gain


UNCHANGED = Normalization()
"""For networks without an input level."""


def normalization_of(
    blocks: Iterable[Audio], sample_rate: int, level_db: float | None, channels: int = 1
) -> Normalization:
    """The normalisation of a recording to a level of ``level_db`` dB re full scale, without its offset.

    Args:
        blocks: consecutive samples, float32 (C, n); all but the last contain a multiple of a tenth of a second.
        sample_rate: Hz.
        level_db: the input level of the network; None: nothing changes, and nothing is read.
        channels: C.
    """
    if level_db is None:
        return UNCHANGED
    sums: list[_FloatArray] = [np.zeros((channels, 0))]
    squares: list[_FloatArray] = [np.zeros((channels, 0))]
    lengths: list[_FloatArray] = [np.zeros(0)]
    size = _block_size(sample_rate)
    for block in blocks:
        starts = np.arange(0, block.shape[1], size)
        wide = block.astype(np.float64)
        sums.append(np.add.reduceat(wide, starts, axis=1))
        squares.append(np.add.reduceat(wide**2, starts, axis=1))
        lengths.append(np.diff(np.append(starts, block.shape[1])))
    total, counts = np.concatenate(sums, axis=1), np.concatenate(lengths)
    offset = total.sum(axis=1, keepdims=True) / counts.sum()
    powers = np.concatenate(squares, axis=1) / counts - 2 * offset * total / counts + offset**2
    power = _active_power(torch.from_numpy(powers.clip(min=0.0).mean(axis=0)), torch.from_numpy(counts))
    gain = _gain_db(power, level_db)
    return Normalization(torch.from_numpy(offset.astype(np.float32)), 10.0 ** (float(gain) / 20.0))


def array_normalization(audio: Audio, sample_rate: int, level_db: float | None) -> Normalization:
    """The normalisation of a recording in memory, float32 (C, T)."""
    size = _read_size(sample_rate)
    blocks = (audio[:, first : first + size] for first in range(0, audio.shape[1], size))
    return normalization_of(blocks, sample_rate, level_db, len(audio))


def file_normalization(path: Path, info: AudioInfo, level_db: float | None, track: int = 0) -> Normalization:
    """The normalisation of a track, which is read once in blocks; InputError if it cannot be read."""
    if level_db is None:
        return UNCHANGED
    blocks = read_blocks(path, even_blocks(info.frames, _read_size(info.sample_rate)), track=track)
    return normalization_of(blocks, info.sample_rate, level_db, info.channels)


def near_level(
    mixtures: Tensor, sample_rate: int, level_db: float, range_db: float = TRAINED_RANGE_DB
) -> tuple[Tensor, Tensor]:
    """The offsets and the gains, float32 (B, 1), that bring mixtures (B, T) within ``range_db`` of a level.

    Training mixtures keep their level within that range: they are passages of recordings, quieter and louder ones.
    """
    offset = mixtures.mean(dim=-1, keepdim=True)
    size = min(_block_size(sample_rate), mixtures.shape[-1])
    whole = mixtures.shape[-1] // size * size
    powers = (mixtures - offset)[:, :whole].reshape(len(mixtures), -1, size).square().mean(dim=-1)
    gain_db = _gain_db(_active_power(powers, powers.new_ones(powers.shape[-1])), level_db)
    gain_db = gain_db.sign() * (gain_db.abs() - range_db).clamp(min=0.0)
    return offset, (10.0 ** (gain_db / 20.0))[:, None]


def _read_size(sample_rate: int) -> int:
    """Samples that are looked at together; a multiple of a block."""
    return round(_READ_SECONDS / _BLOCK_SECONDS) * _block_size(sample_rate)


def _block_size(sample_rate: int) -> int:
    return max(1, round(_BLOCK_SECONDS * sample_rate))


def _active_power(powers: Tensor, lengths: Tensor) -> Tensor:
    """The mean of the powers (..., N) of blocks that are not silent, weighted by their lengths (N,): (...)."""
    active = powers > powers.amax(dim=-1, keepdim=True) * 10.0 ** (-_GATE_DB / 10.0)
    weights = active * lengths
    mean: Tensor = (powers * weights).sum(dim=-1) / weights.sum(dim=-1).clamp(min=1.0)
    return mean


def _gain_db(power: Tensor, level_db: float) -> Tensor:
    """The gain in dB that takes a power to a level; 0 for silence."""
    silence = power <= 0.0
    return torch.where(silence, 0.0, level_db - 10.0 * torch.log10(torch.where(silence, 1.0, power)))
