"""Targets that share the recording: soft masks from the magnitudes of the estimates and of what they leave.

This is the Wiener-like filter of separated sources (Liutkus & Badeau, "Generalized Wiener filtering with fractional
power spectrograms", 2015) with exponent 1. The part of the mixture that no estimate claims, max(|X| − Σ|Yₖ|, 0), counts
as one more source: the mask of target k is |Yₖ| / max(|X|, Σ|Yₖ|). In a bin where the estimates fit into the mixture,
each keeps its magnitude; where they claim more than there is, each receives its share.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.stft import STFT
from dplass_cli.separation.queries import Plan, Target
from dplass_cli.separation.refinement import resplit

_FLOOR = 1e-10


@torch.inference_mode()
def make_targets(estimates: Tensor, mixture: Tensor, plan: Plan, stft: STFT, shared_mask: bool) -> Tensor:
    """Make the targets of a plan from the estimates of its sources.

    Args:
        estimates: float32 (S, C, n), in the order of the plan's conditions.
        mixture: float32 (C, n).
        plan: the sources and how the targets are made of them.
        stft: transforms mixture and estimates.
        shared_mask: all channels share one mask, from the mean of their energies.

    Returns:
        float32 (Q, C, n), in the order of the plan's targets.
    """
    rows = {source: row for row, source in enumerate(plan.conditions)}

    @cache
    def spectra() -> tuple[Tensor, Tensor, Tensor]:
        """The mixture's spectrum, its magnitude and those of the estimates; computed only where targets compete."""
        short = max(0, stft.n_fft - mixture.shape[-1])  # the transform needs n_fft samples
        sounds = F.pad(torch.cat([mixture[None], estimates]), (0, short)).to(stft.window.device)
        transformed = stft(sounds.flatten(0, 1)).unflatten(0, sounds.shape[:2])
        magnitudes = transformed.abs()
        if shared_mask:
            magnitudes = magnitudes.square().mean(dim=1, keepdim=True).sqrt()
        return transformed[0], magnitudes[0], magnitudes[1:]

    def limit(row: int, rivals: list[int]) -> Tensor:
        """The estimate of a row in competition with its rivals, float32 (C, n); unchanged where it has none."""
        if rivals == [row]:
            return estimates[row]
        spectrum, magnitude, magnitudes = spectra()
        mask = magnitudes[row] / magnitudes[rivals].sum(dim=0).maximum(magnitude).clamp(min=_FLOOR)
        length = mixture.shape[-1]
        return stft.inverse(mask * spectrum, max(length, stft.n_fft))[:, :length].to(mixture.device)

    def make(target: Target) -> Tensor:
        rivals = [rows[rival] for rival in target.rivals]
        if target.source is None:
            shares = [target.removed.get(rival, 1.0) for rival in target.rivals]
            return mixture - sum(share * limit(row, rivals) for share, row in zip(shares, rivals, strict=True))
        if target.residual is not None:
            return resplit(estimates[rows[target.source]], estimates[rows[target.residual]], mixture)
        return limit(rows[target.source], rivals)

    return torch.stack([make(target) for target in plan.targets.values()])
