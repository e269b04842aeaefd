"""Spectrograms of files of any length, in memory that does not grow with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from dplass_cli.audio.reading import AudioInfo
from dplass_cli.audio.stft import STFT
from dplass_cli.audio.streaming import even_blocks, read_blocks
from dplass_cli.storage import atomic_path

_COLUMNS, _ROWS = 900, 160
_FRAMES_AT_ONCE = 512
_N_FFT, _HOP = 1024, 512
_TOP_HZ = 16_000.0  # what is above lies beyond the network's band
_RANGE_DB = 70.0


def levels(path: Path, info: AudioInfo, read: Callable[[], None] = lambda: None) -> npt.NDArray[np.float32]:
    """The levels of a file's mean channel: float32 (160 rows of equal height in mel up to 16 kHz, columns), dB.

    Args:
        read: called now and then; what it raises ends the reading.
    """
    frames_a_column = -(-(info.frames // _HOP + 1) // _COLUMNS)
    size = max(1, _FRAMES_AT_ONCE // frames_a_column) * frames_a_column * _HOP
    transform = STFT(_N_FFT, _HOP)
    low, high = _bins_of_rows(info.sample_rate)
    columns: list[torch.Tensor] = []
    for block in read_blocks(path, even_blocks(info.frames, size)):
        read()
        mono = block.mean(axis=0)
        padded = torch.from_numpy(np.pad(mono, (0, max(0, _N_FFT - len(mono)))))
        energies = transform(padded[None])[0, : max(1, len(mono) // _HOP)].abs().square().double()
        columns += [part.mean(dim=0) for part in energies.split(frames_a_column)]
    below = F.pad(torch.stack(columns).cumsum(dim=1), (1, 0))
    rows = (below[:, high] - below[:, low]) / (high - low)
    decibels: npt.NDArray[np.float32] = (10.0 * torch.log10(rows.clamp(min=1e-12))).float().numpy().T
    return decibels


def _bins_of_rows(sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The bins of each row, from the first to before the last: mel as O'Shaughnessy (1987) has it, which HTK uses."""
    top = 2595.0 * math.log10(1.0 + min(_TOP_HZ, sample_rate / 2) / 700.0)
    hertz = 700.0 * (10.0 ** (torch.linspace(0.0, top, _ROWS + 1, dtype=torch.double) / 2595.0) - 1.0)
    edges = (hertz / sample_rate * _N_FFT).round().long()
    low = edges[:-1].clamp(max=_N_FFT // 2)
    return low, torch.maximum(edges[1:], low + 1)


def draw(levels: npt.NDArray[np.float32], top_db: float, path: Path) -> None:
    """Write levels as a PNG without axes, from 70 dB below ``top_db`` (black) up to it."""
    from matplotlib.image import imsave

    with atomic_path(path) as temporary:
        imsave(temporary, levels, vmin=top_db - _RANGE_DB, vmax=top_db, cmap="magma", origin="lower", format="png")
