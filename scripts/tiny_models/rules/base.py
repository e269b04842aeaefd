"""What a rule of choosing may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tried:
    """What the base and K adapters make of N mixtures.

    Attributes:
        queries: their embeddings, float32 (N, D). mixtures: float32 (N, T). mixture_embeddings: float32 (N, D).
        outputs: float32 (N, 1 + K, T), the base's first. output_embeddings: float32 (N, 1 + K, D).
        sdri: dB, float64 (N, 1 + K). Only a rule that learns may look at it, and only at other clips than it chooses
            for. clips: the target's file of each mixture. named: the column of the adapter of the query's domain.
    """

    queries: Tensor
    mixtures: Tensor
    mixture_embeddings: Tensor
    outputs: Tensor
    output_embeddings: Tensor
    sdri: npt.NDArray[np.float64]
    clips: Sequence[str]
    named: IntArray
