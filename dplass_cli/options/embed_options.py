"""Options of ``embed``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import argument, option, section
from dplass_cli.options.model_options import EncoderOptions

Identity = Literal["path", "content"]


@dataclass(frozen=True)
class EmbeddingSettings:
    """How clips are embedded."""

    batch: int = option("--batch", default=32, help="Clips per batch of the encoder.")
    readers: int = option("--workers", default=4, help="Threads that read ahead.")
    identity: Identity | None = option(
        "--identity",
        default=None,
        shown="the folder's, or path",
        help="Identify a file by path (with size and time of change) or by content (its sha256, slower).",
    )


@dataclass(frozen=True)
class EmbedOptions(EncoderOptions):
    """Options of ``embed``.

    ``rows.npy`` (int64: the row of the array for each row of the manifest, -1 where its clip failed) and
    ``embeddings.json`` are written to the output when every clip is done.
    """

    manifest: Path = argument("MANIFEST", help="Manifest, such as train.json.")
    output: Path = option("--output", "-o", help="Folder of the embeddings.")
    embedding: EmbeddingSettings = section(EmbeddingSettings, flags=True, help="How clips are embedded.")
