"""Mixing targets with interference, in batch, on any device.

The arithmetic is AudioSep's training mixer, fixed by the golden file ``mixer_io.npz``: energies are matched in a
clamped ratio, each interferer is gained, the summed noise is matched and gained once more, and clipping mixtures are
scaled down together with their targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

RATIO_LIMITS = (0.02, 50.0)
DECLIP_PEAK = 0.9
_ENERGY_FLOOR = 1e-10


def match_energy(audio: Tensor, reference: Tensor, gain_db: Tensor) -> Tensor:
    """Scale ``audio`` to the mean energy of ``reference`` and gain it.

    Args:
        audio, reference: float32 (..., T).
        gain_db: decibels (...).

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
        gains_db: (B, K), the gain of each interferer over its target.
        noise_gain_db: (B,), the gain of the summed noise over the target.
        present: bool (B,), default all: an absent target is taken out of the mixture that it would have been in, and
            silence is the target.

    Returns:
        (mixture, target), float32 (B, T); both are scaled by 0.9 / peak where the mixture's peak exceeds 1.
    """
    noise = match_energy(interferers, target[:, None], gains_db).sum(dim=1)
    noise = match_energy(noise, target, noise_gain_db)
    if present is not None:
        target = target * present[:, None]
    return declip(target + noise, target)


def mix_at_snr(target: Tensor, noise: Tensor, snr_db: Tensor) -> tuple[Tensor, Tensor]:
    """Mix so that mean(target²) / mean(noise²) = 10^(snr/10), without a limit on the gain; then declip.

    This is the rule of evaluation mixtures. A silent noise or target stays as it is.

    Args:
        target, noise: float32 (B, T). snr_db: (B,).

    Returns:
        (mixture, target), float32 (B, T).
    """
    target_energy = target.double().square().mean(dim=-1)
    noise_energy = noise.double().square().mean(dim=-1)
    audible = (target_energy > 0) & (noise_energy > 0)
    wanted = target_energy / 10.0 ** (snr_db.double() / 10.0)
    gain = torch.where(audible, (wanted / noise_energy.clamp(min=torch.finfo(torch.float64).tiny)).sqrt(), 1.0)
    return declip(target + noise * gain.to(noise.dtype)[:, None], target)


def declip(mixture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scale mixture and target (..., T) by 0.9 / peak where the mixture's peak exceeds 1."""
    peak = mixture.abs().amax(dim=-1, keepdim=True)
    scale = torch.where(peak > 1.0, DECLIP_PEAK / peak, torch.ones_like(peak))
    return mixture * scale, target * scale
