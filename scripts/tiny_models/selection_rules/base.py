"""The data that a selection rule may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AdapterOutputs:
    """The outputs of the base and K adapters on N mixtures.

    Attributes:
        queries: embeddings of the queries, float32 (N, D).
        probabilities: the query's probability of each domain, float32 (N, K).
        mixtures: float32 (N, T).
        targets: the true sources, float32 (N, T); only for fitting, as ``sdri``.
        mixture_embeddings: float32 (N, D).
        outputs: float32 (N, 1 + K, T), the base's first.
        output_embeddings: float32 (N, 1 + K, D).
        residual_embeddings: of the mixture minus each output, float32 (N, 1 + K, D).
        sdri: dB, float64 (N, 1 + K); only for fitting rules, on clips other than those that they choose for.
        clips: the target's file of each mixture.
        kinds: the target's kind of sound.
        by_text: the column of the adapter of the query's domain, int64 (N,).
    """

    queries: Tensor
    probabilities: Tensor
    mixtures: Tensor
    targets: Tensor
    mixture_embeddings: Tensor
    outputs: Tensor
    output_embeddings: Tensor
    residual_embeddings: Tensor
    sdri: npt.NDArray[np.float64]
    clips: Sequence[str]
    kinds: Sequence[str]
    by_text: IntArray
