"""Contrast: what a query asks for beside what it leaves over, once that is asked for by its own sound.

The residual of a first separation is listened to; its embedding is a query for all that was not asked for. The target
gets a fifth of what neither estimate claims of the mixture. Where the residual is faint or still sounds like the query,
it holds leftovers of the target and no other sound, and nothing is changed. The true source is not looked at. The three
numbers were chosen on folds 1 to 3 (docs/separate.md).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders import QueryEncoder

ALIKE = 0.5
"""Cosine of residual and query from which on the residual is taken for leftovers of the target."""

FAINT_DB = -15.0
"""Energy of the residual against the mixture's below which it is taken for leftovers of the target."""

UNCLAIMED = 0.2
"""The target's share of what neither estimate claims."""

_BLOCK_SECONDS = 10


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
        mixture = mixture.cpu()  # not every device computes in float64
        left = mixture - estimate.cpu()
        self._energy += float(left.double().square().sum())
        self._whole += float(mixture.double().square().sum())
        self._waiting = torch.cat((self._waiting, left.mean(dim=0)))
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


def contrasted(estimate: Tensor, rest: Tensor, mixture: Tensor) -> Tensor:
    """A target with its share of what it and the rest leave of a mixture; all of one shape."""
    return estimate + UNCLAIMED * (mixture - estimate - rest)
