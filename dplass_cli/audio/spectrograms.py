"""Spectrogram pictures of audio in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.stft import STFT

RANGE_DB = 70.0
"""Levels from the top of a picture's scale to its bottom, dB."""

N_FFT, HOP = 1024, 512

Levels = npt.NDArray[np.float64]


def spectrogram_db(audio: Audio) -> Levels:
    """The magnitudes of audio (T,), in dB: float64 (frames, 513), the lowest frequency first."""
    padded = torch.from_numpy(np.pad(audio, (0, max(0, N_FFT - len(audio)))))
    spectrum = STFT(N_FFT, HOP)(padded[None])[0]
    levels: Levels = (20.0 * torch.log10(spectrum.abs().clamp(min=1e-6))).double().numpy()
    return levels


def spectrogram_png(levels: Levels, top_db: float, size: Sequence[int]) -> bytes:
    """Draw levels (frames, bins) without axes, from ``top_db`` to 70 dB below: a PNG of at most (width, height)."""
    width, height = size
    shrunk = F.adaptive_max_pool2d(  # the maximum keeps short and narrow sounds visible
        torch.from_numpy(levels.T.copy())[None], (min(height, levels.shape[1]), min(width, levels.shape[0]))
    )
    stream = io.BytesIO()
    draw_levels(shrunk[0].numpy(), top_db, stream)
    return stream.getvalue()


def draw_levels(levels: npt.NDArray[Any], top_db: float, target: Path | BinaryIO) -> None:
    """Draw levels (rows, columns) in dB without axes, the first row at the bottom: a PNG of one pixel per level."""
    from matplotlib.image import imsave

    imsave(target, levels, vmin=top_db - RANGE_DB, vmax=top_db, cmap="magma", origin="lower", format="png")
