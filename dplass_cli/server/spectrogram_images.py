"""Spectrogram images of audio files of any length, in memory that does not grow with the length."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from dplass_cli.audio.reading import AudioInfo, even_blocks, read_blocks
from dplass_cli.audio.spectrograms import HOP, N_FFT, draw_levels
from dplass_cli.audio.stft import STFT
from dplass_cli.storage import atomic_path

_COLUMNS, _ROWS = 900, 160
_FRAMES_PER_BLOCK = 512
_TOP_HZ = 16_000.0  # the network's Nyquist frequency


def mel_levels(path: Path, info: AudioInfo, on_block: Callable[[], None] = lambda: None) -> npt.NDArray[np.float32]:
    """The mel spectrogram of a file's channels, averaged: levels in dB.

    ``on_block`` is called with each block that is read; an exception that it raises ends the reading.

    Returns:
        float32 (160, columns), 160 bands up to 16 kHz, lowest first, and at most about 900 columns.
    """
    frames_per_column = -(-(info.frames // HOP + 1) // _COLUMNS)
    size = max(1, _FRAMES_PER_BLOCK // frames_per_column) * frames_per_column * HOP  # whole columns
    transform = STFT(N_FFT, HOP)
    low, high = _band_edges(info.sample_rate)
    columns: list[torch.Tensor] = []
    for block in read_blocks(path, even_blocks(info.frames, size)):
        on_block()
        mono = block.mean(axis=0)
        padded = torch.from_numpy(np.pad(mono, (0, max(0, N_FFT - len(mono)))))
        energies = transform(padded[None])[0, : max(1, len(mono) // HOP)].abs().square().double()
        columns += [frames.mean(dim=0) for frames in energies.split(frames_per_column)]
    cumulative = F.pad(torch.stack(columns).cumsum(dim=1), (1, 0))
    bands = (cumulative[:, high] - cumulative[:, low]) / (high - low)
    levels: npt.NDArray[np.float32] = (10.0 * torch.log10(bands.clamp(min=1e-12))).float().numpy().T
    return levels


def _band_edges(sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First bin and bin after the last of each band; the mel scale is O'Shaughnessy's (1987), which HTK uses."""
    top = 2595.0 * math.log10(1.0 + min(_TOP_HZ, sample_rate / 2) / 700.0)
    hertz = 700.0 * (10.0 ** (torch.linspace(0.0, top, _ROWS + 1, dtype=torch.double) / 2595.0) - 1.0)
    edges = (hertz / sample_rate * N_FFT).round().long()
    low = edges[:-1].clamp(max=N_FFT // 2)
    return low, torch.maximum(edges[1:], low + 1)


def write_image(levels: npt.NDArray[np.float32], top_db: float, path: Path) -> None:
    """Write levels float32 (bands, columns) in dB as a PNG without axes, from 70 dB below ``top_db`` up to it."""
    with atomic_path(path) as temporary:
        draw_levels(levels, top_db, temporary)
