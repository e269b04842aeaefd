"""Training losses by name: (estimate, target) float32 (B, T) to a scalar."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_EPS = 1e-8


def l1_wav(estimate: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the waveforms: the published loss."""
    return (estimate - target).abs().mean()


def l1_relative(estimate: Tensor, target: Tensor) -> Tensor:
    """Absolute difference of each item over its target's absolute sum: quiet items count as much as loud ones."""
    error = (estimate - target).abs().mean(dim=-1)
    return (error / target.abs().mean(dim=-1).clamp(min=1e-4)).mean()


def negative_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Minus the SDR in dB, levelling off near 30 dB so that easy items do not take over."""
    energy = target.square().sum(dim=-1)
    error = (estimate - target).square().sum(dim=-1)
    return 10.0 * torch.log10((error + 1e-3 * energy + _EPS) / (energy + _EPS)).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1_wav": l1_wav,
    "l1_relative": l1_relative,
    "negative_sdr": negative_sdr,
}
