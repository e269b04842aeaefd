"""Band-limited resampling with torchaudio's windowed sinc, which AudioSep's query encoder uses too."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from torchaudio.transforms import Resample

_ZEROS, _ROLLOFF = 6, 0.99  # torchaudio's defaults: zero crossings on either side, cut-off relative to Nyquist
_LARGEST_TABLE = 1 << 21  # phases of the filter
_BLOCK = 1 << 22  # products of samples and filter computed at once


@lru_cache(maxsize=16)
def _resampler(source: int, target: int) -> Resample:
    # Building the kernel costs more than filtering a short clip, and there are few pairs of rates.
    from torchaudio.transforms import Resample  # not at the top: a recording at the models' rate needs none

    return Resample(source, target)


def resample_tensor(audio: torch.Tensor, source: int, target: int) -> torch.Tensor:
    """Resample float32 (..., T) from ``source`` to ``target`` Hz: (..., ceil(T·target/source))."""
    if source == target:
        return audio
    common = math.gcd(source, target)
    if (source // common) * (target // common) > _LARGEST_TABLE:
        return _resample_directly(audio, source // common, target // common)
    resampler = _resampler(source, target)
    if audio.device.type != "cpu":
        resampler = _resampler.__wrapped__(source, target).to(audio.device)
    resampled: torch.Tensor = resampler(audio)
    return resampled


def _resample_directly(audio: torch.Tensor, source: int, target: int) -> torch.Tensor:
    """Apply the same filter without torchaudio's table of phases, which takes gigabytes for rates that are coprime."""
    cut = _ROLLOFF * min(source, target)
    reach = math.ceil(_ZEROS * source / cut)
    offsets = torch.arange(-reach, reach + 1, device=audio.device)
    padded = torch.nn.functional.pad(audio, (reach, reach + 1))
    length = -(-audio.shape[-1] * target // source)
    blocks, step = [], max(1, _BLOCK // len(offsets))
    for first in range(0, length, step):
        instants = torch.arange(first, min(length, first + step), device=audio.device) * source
        nearest, phase = instants // target, (instants % target).double() / target
        distance = ((offsets - phase[:, None]) * (cut / source)).clamp(-_ZEROS, _ZEROS)
        window = torch.cos(distance * (math.pi / 2 / _ZEROS)).square()
        kernel = (torch.sinc(distance) * window * (cut / source)).to(audio.dtype)
        blocks.append((padded[..., (nearest[:, None] + offsets + reach)] * kernel).sum(dim=-1))
    return torch.cat(blocks, dim=-1)


def resample(audio: npt.NDArray[np.float32], source: int, target: int) -> npt.NDArray[np.float32]:
    """Resample a numpy array, float32 (..., T), from ``source`` to ``target`` Hz: (..., ceil(T·target/source))."""
    if source == target:
        return audio
    with torch.inference_mode():
        resampled: npt.NDArray[np.float32] = resample_tensor(torch.from_numpy(audio), source, target).numpy()
    return resampled
