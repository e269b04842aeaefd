"""Comparing with the golden numbers of LAION's CLAP."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor


def worst(got: Tensor, expected: npt.NDArray[Any]) -> float:
    """The largest absolute difference."""
    assert got.shape == expected.shape
    return float((got - torch.from_numpy(expected)).abs().max())


def quantised(audio: Tensor) -> Tensor:
    """Rounded as LAION's wrapper rounds arrays."""
    return (audio.clamp(-1, 1) * 32767).to(torch.int16).float() / 32767


def sampled(stage: Tensor) -> Tensor:
    """Subsampled as the golden stages are."""
    flat = stage.flatten()
    return flat[:: max(1, len(flat) // 256)][:256]
