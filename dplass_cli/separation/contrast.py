"""Contrast: what a query asks for competes with what it leaves over, once that is asked for by its own sound.

The residual of a first separation is listened to; its embedding is a query for all that was not asked for. Both
estimates then share the recording (:mod:`dplass_cli.separation.consistency`), so that what either claims more surely is
taken from the other. Where the residual is faint, or still sounds like the query, it holds leftovers of the target and
no other sound, and nothing is changed. The true source is not looked at. Thresholds were chosen on folds 1 to 3, where
two sounds gain and one alone loses nothing that is heard (docs/separate.md).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.stft import STFT
from dplass_cli.encoders import QueryEncoder
from dplass_cli.separation.consistency import share
from dplass_cli.separation.queries import Plan, Target

ALIKE = 0.5
"""Cosine of residual and query from which on the residual is taken for leftovers of the target."""

FAINT_DB = -15.0
"""Energy of the residual against the mixture's below which it is taken for leftovers of the target."""

_BLOCK_SECONDS = 10
_RIVALS = ("target", "rest")


class Rest:
    """What a target leaves over, listened to as it comes, in blocks that do not depend on the pieces it comes in.

    Args:
        query: the condition of the target, float32 (D,).
        encoder: listens. sample_rate: of what it listens to, Hz.
    """

    def __init__(self, query: Tensor, encoder: QueryEncoder, sample_rate: int) -> None:
        self._query, self._encoder, self._sample_rate = query, encoder, sample_rate
        self._heard = torch.zeros_like(query)
        self._waiting = torch.zeros(0)
        self._energy, self._whole = 0.0, 0.0

    @torch.inference_mode()
    def hear(self, mixture: Tensor, estimate: Tensor) -> None:
        """Listen on: to the next samples of the mixture and the estimate, float32 (C, n)."""
        left = mixture - estimate
        self._energy += float(left.double().square().sum())
        self._whole += float(mixture.double().square().sum())
        self._waiting = torch.cat((self._waiting, left.mean(dim=0).cpu()))
        block = _BLOCK_SECONDS * self._sample_rate
        while len(self._waiting) > block:
            self._heard += self._embedded(self._waiting[:block])
            self._waiting = self._waiting[block:]

    def _embedded(self, block: Tensor) -> Tensor:
        return len(block) * self._encoder.embed_audio(block[None], self._sample_rate)[0]

    @property
    def condition(self) -> Tensor | None:
        """The embedding of what is left over, float32 (D,), unit norm; None where that is no other sound."""
        if self._energy <= 0.0 or 10.0 * math.log10(self._energy / self._whole) <= FAINT_DB:
            return None
        heard = F.normalize(self._heard + self._embedded(self._waiting), dim=-1)
        return heard if float(heard @ self._query) < ALIKE else None


def contrasted(estimate: Tensor, rest: Tensor, mixture: Tensor, stft: STFT) -> Tensor:
    """A target that competes with the rest for a mixture, each float32 (T,): float32 (T,)."""
    plan = Plan(dict.fromkeys(_RIVALS, mixture), {"target": Target("target", _RIVALS)})
    return share(torch.stack([estimate, rest])[:, None], mixture[None], plan, stft, one_mask=True)[0, 0]
