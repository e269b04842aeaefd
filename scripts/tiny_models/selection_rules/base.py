"""The data that a selection rule may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]

TARGET, MIXTURE, BASE = 0, 1, 2
"""Places of AdapterOutputs.products; the adapters follow."""


@dataclass(frozen=True)
class AdapterOutputs:
    """The outputs of the base and K adapters on N mixtures.

    Attributes:
        queries: embeddings of the queries, float32 (N, D).
        probabilities: the query's probability of each domain, float32 (N, K).
        products: inner products of the waveforms of target, mixture, base's output and K adapters' outputs, float64
            (N, 3 + K, 3 + K); those of the target (TARGET) are only for fitting, as ``sdri``.
        mixture_embeddings: float32 (N, D).
        output_embeddings: of the base's output and each adapter's, float32 (N, 1 + K, D).
        residual_embeddings: of the mixture minus each output, float32 (N, 1 + K, D).
        sdri: dB, float64 (N, 1 + K); only for fitting rules, on clips other than those that they choose for.
        clips: the target's file of each mixture.
        kinds: the target's kind of sound.
        by_text: the column of the adapter of the query's domain, int64 (N,).
    """

    queries: Tensor
    probabilities: Tensor
    products: Tensor
    mixture_embeddings: Tensor
    output_embeddings: Tensor
    residual_embeddings: Tensor
    sdri: npt.NDArray[np.float64]
    clips: Sequence[str]
    kinds: Sequence[str]
    by_text: IntArray

    def energies(self) -> Tensor:
        """The energies of the base's output and each adapter's, float64 (N, 1 + K)."""
        return self.products.diagonal(dim1=1, dim2=2)[:, BASE:]

    def distances(self, place: int) -> Tensor:
        """The energies of the outputs minus a waveform of ``products``, float64 (N, 1 + K)."""
        cross = self.products[:, place, BASE:]
        return (self.energies() - 2 * cross + self.products[:, place, place, None]).clamp(min=0.0)

    def agreement(self) -> Tensor:
        """The mean cosine of each output with all outputs, itself included, float64 (N, 1 + K)."""
        norms = self.energies().clamp(min=1e-20).sqrt()
        return (self.products[:, BASE:, BASE:] / norms[:, None] / norms[:, :, None]).mean(dim=-1)


def products(target: Tensor, mixture: Tensor, outputs: Tensor) -> Tensor:
    """The inner products of N mixtures: float64 (N, 3 + K, 3 + K).

    Args:
        target: float32 (N, T).
        mixture: float32 (N, T).
        outputs: of the base and K adapters, float32 (N, 1 + K, T).
    """
    waveforms = torch.cat((target[:, None], mixture[:, None], outputs), dim=1).double()
    return waveforms @ waveforms.transpose(1, 2)
