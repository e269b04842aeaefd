"""Refinement: separate the residual with its own embedding, then split the mixture again.

A first pass separates the target. The audio embedding of what remains, the residual, conditions a second pass that
separates all that was not asked for. The target then receives a fifth of what neither estimate claims. Where the
residual is faint, or its embedding still resembles the query, it consists of leftovers of the target, which then stays
as it is. The reference is never used. The three constants were chosen on folds 1 to 3 (``docs/separate.md``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders import QueryEncoder

SIMILAR = 0.5
"""Cosine of residual and query from which on the residual counts as leftovers of the target."""

FAINT_DB = -15.0
"""Energy of the residual relative to the mixture's, dB, up to which it counts as leftovers of the target."""

TARGET_SHARE = 0.2
"""The target's share of what neither estimate claims."""

_BLOCK_SECONDS = 10


class ResidualEmbedding:
    """The embedding of a target's residual, accumulated in blocks that do not depend on how the signal is cut.

    ``query`` is the condition of the target, float32 (D,).
    """

    def __init__(self, query: Tensor, encoder: QueryEncoder, sample_rate: int) -> None:
        self._query, self._encoder, self._sample_rate = query, encoder, sample_rate
        self._sum = torch.zeros_like(query)
        self._pending = torch.zeros(0)
        self._residual_energy = self._mixture_energy = 0.0

    @torch.inference_mode()
    def add(self, mixture: Tensor, estimate: Tensor) -> None:
        """Add the next samples of the mixture and of the estimate, float32 (C, n)."""
        mixture = mixture.cpu()  # MPS does not compute in float64
        residual = mixture - estimate.cpu()
        self._residual_energy += float(residual.double().square().sum())
        self._mixture_energy += float(mixture.double().square().sum())
        self._pending = torch.cat((self._pending, residual.mean(dim=0)))
        block = _BLOCK_SECONDS * self._sample_rate
        while len(self._pending) > block:
            self._sum += self._embed(self._pending[:block])
            self._pending = self._pending[block:]

    def _embed(self, block: Tensor) -> Tensor:
        return len(block) * self._encoder.embed_audio(block[None], self._sample_rate)[0]

    def condition(self) -> Tensor | None:
        """The embedding of the residual, float32 (D,), unit norm; None where it holds leftovers of the target only."""
        if self._residual_energy <= 0.0:
            return None
        if 10.0 * math.log10(self._residual_energy / self._mixture_energy) <= FAINT_DB:
            return None
        embedding = F.normalize(self._sum + self._embed(self._pending), dim=-1)
        return embedding if float(embedding @ self._query) < SIMILAR else None


def resplit(target: Tensor, residual: Tensor, mixture: Tensor) -> Tensor:
    """The target with its share of what the estimates of target and residual leave of the mixture; all of one shape."""
    return target + TARGET_SHARE * (mixture - target - residual)
