"""Mixing targets with interference, in batches, on any device.

The arithmetic is that of AudioSep's training mixer, fixed by the golden file ``mixer_io.npz``: each interferer is
scaled to the target's energy and amplified, their sum is scaled and amplified once more, and clipping mixtures are
scaled down together with their targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

RATIO_LIMITS = (0.02, 50.0)
DECLIP_PEAK = 0.9
_ENERGY_FLOOR = 1e-10


def match_energy(audio: Tensor, reference: Tensor, gain_db: Tensor) -> Tensor:
    """Scale audio to the mean energy of a reference, then amplify it.

    Args:
        audio: float32 (..., T).
        reference: float32 (..., T).
        gain_db: float32 (...), dB.

    Returns:
        10^(gain/20) · audio / r with r = clamp(sqrt(mean(audio²) / max(mean(reference²), 1e-10)), 0.02, 50).
    """
    energy = audio.square().mean(dim=-1)
    reference_energy = reference.square().mean(dim=-1).clamp(min=_ENERGY_FLOOR)
    ratio = (energy / reference_energy).sqrt().clamp(*RATIO_LIMITS)
    return audio * (10.0 ** (gain_db / 20.0) / ratio)[..., None]


def mix(
    target: Tensor, interferers: Tensor, gains_db: Tensor, noise_gain_db: Tensor, present: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mix targets with the sum of their interferers.

    Args:
        target: float32 (B, T).
        interferers: float32 (B, K, T), K >= 1; zeros where an item has fewer.
        gains_db: float32 (B, K), gain of each interferer relative to the target.
        noise_gain_db: float32 (B,), gain of the summed interferers relative to the target.
        present: bool (B,), default all; where False, the mixture is the interference alone and the target is silence.

    Returns:
        (mixture, target), float32 (B, T); both are scaled by 0.9 / peak where the mixture's peak exceeds 1.
    """
    noise = match_energy(interferers, target[:, None], gains_db).sum(dim=1)
    noise = match_energy(noise, target, noise_gain_db)
    if present is not None:
        target = target * present[:, None]
    return declip(target + noise, target)


def mix_at_snr(target: Tensor, noise: Tensor, snr_db: Tensor) -> tuple[Tensor, Tensor]:
    """Mix so that mean(target²) / mean(noise²) = 10^(snr/10), with unlimited gain, then declip.

    Evaluation mixtures are made like this. If target or noise is silent, the noise is not scaled.

    Args:
        target: float32 (B, T).
        noise: float32 (B, T).
        snr_db: float32 (B,), dB.

    Returns:
        (mixture, target), float32 (B, T).
    """
    target_energy = target.double().square().mean(dim=-1)
    noise_energy = noise.double().square().mean(dim=-1)
    audible = (target_energy > 0) & (noise_energy > 0)
    wanted = target_energy / 10.0 ** (snr_db.double() / 10.0)
    gain = torch.where(audible, (wanted / noise_energy.clamp(min=torch.finfo(torch.float64).tiny)).sqrt(), 1.0)
    return declip(target + noise * gain.to(noise.dtype)[:, None], target)


def add_at_same_energy(sources: Tensor) -> Tensor:
    """Scale sources, float32 (S, T), to the mean energy of the loudest and add them up; silent ones stay silent."""
    energy = sources.double().square().mean(dim=-1, keepdim=True)
    gain = torch.where(energy > 0, (energy.max() / energy.clamp(min=torch.finfo(torch.float64).tiny)).sqrt(), 1.0)
    return (sources * gain.to(sources.dtype)).sum(dim=0)


def declip(mixture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scale mixtures and targets, float32 (..., T), by 0.9 / peak where the mixture's peak exceeds 1."""
    peak = mixture.abs().amax(dim=-1, keepdim=True)
    scale = torch.where(peak > 1.0, DECLIP_PEAK / peak, torch.ones_like(peak))
    return mixture * scale, target * scale
