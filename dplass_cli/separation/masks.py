"""Targets that share the recording: soft masks from the magnitudes of the estimates and of what they leave.

This is the Wiener-like filter of separated sources (Liutkus & Badeau, "Generalized Wiener filtering with fractional
power spectrograms", 2015) with exponent 1. The part of the mixture that no estimate claims, max(|X| − Σ|Yₖ|, 0), counts
as one more source: the mask of target k is |Yₖ| / max(|X|, Σ|Yₖ|). In a bin where the estimates fit into the mixture,
each keeps its magnitude; where they claim more than there is, each receives its share.
"""

from __future__ import annotations

from functools import cached_property

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
    masks = _Masks(estimates, mixture, stft, shared_mask)

    def make(target: Target) -> Tensor:
        rivals = [rows[rival] for rival in target.rivals]
        if target.source is None:
            return mixture - torch.stack([masks.limit(row, rivals) for row in rivals]).sum(dim=0)
        if target.residual is not None:
            return resplit(estimates[rows[target.source]], estimates[rows[target.residual]], mixture)
        return masks.limit(rows[target.source], rivals)

    return torch.stack([make(target) for target in plan.targets.values()])


class _Masks:
    """Masks from the spectra of the estimates and the mixture."""

    def __init__(self, estimates: Tensor, mixture: Tensor, stft: STFT, shared_mask: bool) -> None:
        self._estimates, self._mixture, self._stft, self._shared_mask = estimates, mixture, stft, shared_mask

    def limit(self, row: int, rivals: list[int]) -> Tensor:
        """The estimate of a row in competition with its rivals, float32 (C, n); unchanged where it has none."""
        if rivals == [row]:
            return self._estimates[row]
        spectrum, magnitude, magnitudes = self._spectra
        mask = magnitudes[row] / magnitudes[rivals].sum(dim=0).maximum(magnitude).clamp(min=_FLOOR)
        length = self._mixture.shape[-1]
        masked = self._stft.inverse(mask * spectrum, max(length, self._stft.n_fft))
        return masked[:, :length].to(self._mixture.device)

    @cached_property
    def _spectra(self) -> tuple[Tensor, Tensor, Tensor]:
        """The mixture's spectrum, its magnitude and those of the estimates; computed once, where needed."""
        short = max(0, self._stft.n_fft - self._mixture.shape[-1])  # the transform needs n_fft samples
        sounds = F.pad(torch.cat([self._mixture[None], self._estimates]), (0, short)).to(self._stft.window.device)
        spectra = self._stft(sounds.flatten(0, 1)).unflatten(0, sounds.shape[:2])
        magnitudes = spectra.abs()
        if self._shared_mask:
            magnitudes = magnitudes.square().mean(dim=1, keepdim=True).sqrt()
        return spectra[0], magnitudes[0], magnitudes[1:]
