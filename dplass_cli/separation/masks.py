"""Targets that share the recording: soft masks from the magnitudes of the estimates and of what they leave over.

This is the Wiener-style filter of separated sources (Liutkus & Badeau, "Generalized Wiener filtering with fractional
power spectrograms", 2015) at power 1, with what the estimates leave of the mixture, max(|X| − Σ|Yₖ|, 0), as one more
source: the mask of target k is |Yₖ| / max(|X|, Σ|Yₖ|). In a cell where the estimates fit into the mixture each keeps
its magnitude; where they claim more than there is, each gets its share.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.stft import STFT
from dplass_cli.separation.queries import Plan, Target
from dplass_cli.separation.refinement import contrasted

_FLOOR = 1e-10


@torch.inference_mode()
def share(estimates: Tensor, mixture: Tensor, plan: Plan, stft: STFT, one_mask: bool) -> Tensor:
    """Make targets of the estimates of all sources.

    Args:
        estimates: float32 (S, C, n), in the order of the plan's conditions. mixture: float32 (C, n).
        one_mask: all channels share a mask, from the mean of their energies.

    Returns:
        float32 (Q, C, n), in the order of the plan's targets.
    """
    rows = {source: row for row, source in enumerate(plan.conditions)}
    masks = _Masks(estimates, mixture, stft, one_mask)

    def made(target: Target) -> Tensor:
        rivals = [rows[rival] for rival in target.rivals]
        if target.source is None:
            return mixture - torch.stack([masks.limited(row, rivals) for row in rivals]).sum(dim=0)
        if target.rest is not None:
            return contrasted(estimates[rows[target.source]], estimates[rows[target.rest]], mixture)
        return masks.limited(rows[target.source], rivals)

    return torch.stack([made(target) for target in plan.targets.values()])


class _Masks:
    """Masks from the spectra of the estimates and the mixture."""

    def __init__(self, estimates: Tensor, mixture: Tensor, stft: STFT, one_mask: bool) -> None:
        self._estimates, self._mixture, self._stft, self._one_mask = estimates, mixture, stft, one_mask

    def limited(self, row: int, rivals: list[int]) -> Tensor:
        """The estimate of a row where it competes with others: float32 (C, n); itself where it is alone."""
        if rivals == [row]:
            return self._estimates[row]
        spectrum, magnitude, magnitudes = self._transformed
        mask = magnitudes[row] / magnitudes[rivals].sum(dim=0).maximum(magnitude).clamp(min=_FLOOR)
        length = self._mixture.shape[-1]
        whole = self._stft.inverse(mask * spectrum, max(length, self._stft.n_fft))
        return whole[:, :length].to(self._mixture.device)

    @cached_property
    def _transformed(self) -> tuple[Tensor, Tensor, Tensor]:
        """The mixture's spectrum, its magnitude and those of the estimates; made once, if they are needed."""
        short = max(0, self._stft.n_fft - self._mixture.shape[-1])  # the shortest that can be transformed
        sounds = F.pad(torch.cat([self._mixture[None], self._estimates]), (0, short)).to(self._stft.window.device)
        spectra = self._stft(sounds.flatten(0, 1)).unflatten(0, sounds.shape[:2])
        magnitudes = spectra.abs()
        if self._one_mask:
            magnitudes = magnitudes.square().mean(dim=1, keepdim=True).sqrt()
        return spectra[0], magnitudes[0], magnitudes[1:]
