"""The query encoder protocol: sentences and sounds to points of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class QueryEncoder(Protocol):
    """What the separator, the partition and the policies need of an encoder.

    Attributes:
        name: the kind of encoder (``tiny``, ``laion``).
        fingerprint: sha256 over its weights and configuration; equal fingerprints give equal embeddings.
        size: the length D of an embedding.
    """

    name: str
    size: int

    @property
    def fingerprint(self) -> str:
        """See above."""
        ...

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences: float32 (N, D) on the CPU, unit norm. A sentence's embedding depends on it alone."""
        ...

    def embed_audio(self, waveforms: Tensor, sample_rate: int) -> Tensor:
        """Embed mono waveforms float32 (N, T): float32 (N, D) on the CPU, unit norm, deterministic.

        The embedding of a waveform does not depend on the others of the batch.
        """
        ...
