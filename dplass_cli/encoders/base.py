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
        sample_rate: the rate in Hz that it hears at; audio of that rate is not resampled.
        windows: how long audio is cut and averaged, in words; part of what identifies an embedding.
    """

    name: str
    size: int
    sample_rate: int
    windows: str

    @property
    def fingerprint(self) -> str:
        """See above."""
        ...

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences: float32 (N, D) on the CPU, unit norm. A sentence's embedding depends on it alone."""
        ...

    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """Embed N mono waveforms, float32 (N, T) or each of its own length (T,): float32 (N, D) on the CPU, unit norm.

        The embedding of a waveform is the same every time and does not depend on the others.
        """
        ...
