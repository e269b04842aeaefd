"""The query encoder protocol: embeds sentences and sounds in one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class QueryEncoder(Protocol):
    """What the separator, the partition and the policies require of an encoder.

    Attributes:
        name: the kind of encoder (``tiny``, ``laion``).
        fingerprint: sha256 over its weights and configuration; equal fingerprints give equal embeddings.
        size: length D of an embedding.
        sample_rate: Hz; audio at this rate is not resampled.
        kinds: names of the sounds it knows; empty if any sentence will do.
        embeds_audio: whether sounds can be embedded, too; otherwise ``embed_audio`` raises InputError.
        windows: how long audio is split and averaged, in words; cached embeddings are only used if it is the same.
    """

    name: str
    size: int
    sample_rate: int
    windows: str
    embeds_audio: bool

    @property
    def kinds(self) -> tuple[str, ...]: ...

    @property
    def fingerprint(self) -> str: ...

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences: float32 (N, D) on the CPU, unit norm. Embeddings do not depend on the other sentences."""
        ...

    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """Embed N mono waveforms at ``sample_rate`` Hz, float32 (T,): float32 (N, D) on the CPU, unit norm.

        Embeddings are deterministic and do not depend on the other waveforms.
        """
        ...

    def out_of_vocabulary(self, sentence: str) -> str | None:
        """A note for the user if the encoder does not know what a sentence describes; else None."""
        ...


def space_of(encoder: QueryEncoder) -> str:
    """The space that an encoder embeds into: the fingerprint of the encoder that bases, adapters and so on belong to.

    It is the encoder's own, unless it has an attribute ``space``, as one with another text side for the same space.
    """
    return getattr(encoder, "space", None) or encoder.fingerprint
