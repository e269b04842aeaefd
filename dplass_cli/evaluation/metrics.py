"""SDR and SI-SDR as the published evaluations define them (golden file ``metrics.json``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_POWER_FLOOR = 1e-10
_LOAD = 1e-9
_SILENT_DB = -200.0


def sdr(reference: npt.NDArray[Any], estimate: npt.NDArray[Any]) -> float:
    """Signal-to-distortion ratio in dB: 10·log10(mean(s²) / mean((ŝ − s)²)), both powers at least 1e-10.

    This is the plain energy ratio that torchmetrics calls signal-to-noise ratio; there is no projection.

    Args:
        reference: the true signal, floating (T,).
        estimate: the separated signal, floating (T,).

    Raises:
        ValueError: shapes differ or are not one-dimensional, or samples are integers, whose squares overflow.
    """
    _check(reference, estimate)
    numerator = np.clip(np.mean(reference**2), _POWER_FLOOR, None)
    denominator = np.clip(np.mean((estimate - reference) ** 2), _POWER_FLOOR, None)
    return float(10.0 * np.log10(float(numerator) / float(denominator)))


def si_sdr(reference: npt.NDArray[Any], estimate: npt.NDArray[Any]) -> float:
    """Scale-invariant SDR in dB, without mean removal; eps is the machine epsilon of the reference's dtype.

    With a = (eps + ⟨s, ŝ⟩) / (⟨s, s⟩ + eps): 10·log10((eps + ‖a·s‖²) / (eps + ‖ŝ − a·s‖²)).

    Args:
        reference: the true signal, floating (T,).
        estimate: the separated signal, floating (T,).

    Raises:
        ValueError: shapes differ or are not one-dimensional, or samples are integers, whose squares overflow.
    """
    _check(reference, estimate)
    eps = float(np.finfo(reference.dtype).eps)
    scale = (eps + np.dot(reference, estimate)) / (np.dot(reference, reference) + eps)
    projection = scale * reference
    residual = estimate - projection
    ratio = (eps + float(np.sum(projection**2))) / (eps + float(np.sum(residual**2)))
    return float(10.0 * np.log10(ratio))


def decibels(audio: Tensor) -> Tensor:
    """The mean energy of audio (B, T) in dB, float64 (B,) on the CPU; -200 for silence."""
    energy = audio.square().mean(dim=-1).cpu().double()
    return 10.0 * torch.log10(energy.clamp(min=10.0 ** (_SILENT_DB / 10.0)))


def batch_scores(reference: Tensor, estimate: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`sdr` and :func:`si_sdr` of a batch on its device, from three inner products in float64.

    Args:
        reference: the true signals, float32 (B, T).
        estimate: the separated signals, float32 (B, T).

    Returns:
        (SDR, SI-SDR), float64 (B,) on the CPU; within 1e-3 dB of the functions above in float32, unless the two signals
        are so similar that rounding dominates.
    """
    eps = torch.finfo(reference.dtype).eps
    if reference.device.type == "mps":  # has no float64
        reference, estimate = reference.cpu(), estimate.cpu()
    s, e = reference.double(), estimate.double()
    ss, se, ee = ((a * b).sum(dim=-1).cpu() for a, b in ((s, s), (s, e), (e, e)))
    samples = s.shape[-1]
    noise = (ee - 2.0 * se + ss).clamp(min=0.0) / samples
    ratio = (ss / samples).clamp(min=_POWER_FLOOR) / noise.clamp(min=_POWER_FLOOR)
    scale = (eps + se) / (ss + eps)
    residual = (ee - 2.0 * scale * se + scale**2 * ss).clamp(min=0.0)
    invariant = (eps + scale**2 * ss) / (eps + residual)
    return 10.0 * torch.log10(ratio), 10.0 * torch.log10(invariant)


def bss_sdr(reference: Tensor, estimate: Tensor) -> float:
    """SDR of BSS Eval version 3 in dB, which allows any filter of 512 taps on the reference.

    Vincent, Gribonval and Févotte, "Performance Measurement in Blind Audio Source Separation", 2006, in the closed form
    of Scheibler, "SDR — Medium Rare with Fast Computations", 2022, as in torchmetrics.

    Args:
        reference: the true signal, float32 (T,).
        estimate: the separated signal, float32 (T,).
    """
    from torchmetrics.functional.audio import signal_distortion_ratio

    # Without diagonal loading, the filter is not determined for a reference that is empty in some band (8 kHz speech).
    return float(signal_distortion_ratio(estimate.cpu().double(), reference.cpu().double(), load_diag=_LOAD))


def _check(reference: npt.NDArray[Any], estimate: npt.NDArray[Any]) -> None:
    if reference.ndim != 1 or reference.shape != estimate.shape:
        raise ValueError(f"reference and estimate must be (T,) of one length, not {reference.shape}, {estimate.shape}")
    for audio in (reference, estimate):
        if not np.issubdtype(audio.dtype, np.floating):
            raise ValueError(f"reference and estimate must be floating, in [-1, 1], not {audio.dtype}")
