"""Options of ``embed``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dplass_cli.options.model_options import EncoderOptions

Identity = Literal["path", "content"]


@dataclass(frozen=True)
class EmbeddingSettings:
    """How clips are embedded.

    Attributes:
        batch: clips that the encoder takes at once.
        readers: threads that read ahead.
        identity: a file is the same by ``path`` (with size and time of change), or by ``content`` (its sha256: slower,
            and right wherever the file lies); None is what the cache was filled by, ``path`` for a new one. It is told
            to the cache, which keeps it.
    """

    batch: int = 32
    readers: int = 4
    identity: Identity | None = None


@dataclass(frozen=True)
class EmbedOptions(EncoderOptions):
    """Options of ``embed``; the encoder as :class:`~dplass_cli.options.model_options.EncoderOptions`.

    Attributes:
        manifest: whose clips to embed.
        output: folder of the cache; ``rows.npy`` (int64, a manifest row's row in the array, -1 where its clip failed)
            and ``embeddings.json`` are written when every clip is done.
        embedding: batch, readers, and how files are identified.
    """

    manifest: Path = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
