"""Band-limited resampling: windowed sinc, as torchaudio defines it (and the published query path uses it)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torchaudio.transforms import Resample


@lru_cache(maxsize=16)
def _resampler(source: int, target: int) -> Resample:
    # The kernel costs more to build than a short clip costs to filter; there are few pairs of rates.
    return Resample(source, target)


def resample_tensor(audio: torch.Tensor, source: int, target: int) -> torch.Tensor:
    """Resample float32 (..., T) from ``source`` to ``target`` Hz: (..., ceil(T·target/source))."""
    if source == target:
        return audio
    resampler = _resampler(source, target)
    if audio.device.type != "cpu":
        resampler = Resample(source, target).to(audio.device)
    resampled: torch.Tensor = resampler(audio)
    return resampled


def resample(audio: npt.NDArray[np.float32], source: int, target: int) -> npt.NDArray[np.float32]:
    """Resample numpy float32 (..., T) from ``source`` to ``target`` Hz."""
    if source == target:
        return audio
    with torch.inference_mode():
        resampled: npt.NDArray[np.float32] = resample_tensor(torch.from_numpy(audio), source, target).numpy()
    return resampled
