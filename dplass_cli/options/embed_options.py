"""Options of ``embed``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import Options, argument, option, required, section
from dplass_cli.options.model_options import EncoderOptions

Identity = Literal["path", "content"]


@dataclass(frozen=True)
class EmbeddingSettings(Options):
    """How clips are embedded."""

    batch: int = option(32, "Clips per batch of the encoder.")
    readers: int = option(4, "Threads that read ahead.", "--workers")
    identity: Identity | None = option(
        None,
        "Identify a file by path (with size and time of change) or by content (its sha256, slower).",
        shown="the folder's, or path",
    )


@dataclass(frozen=True)
class EmbedOptions(EncoderOptions):
    """Options of ``embed``.

    ``rows.npy`` (int64: the row of the array for each row of the manifest, -1 where its clip failed) and
    ``embeddings.json`` are written to the output when every clip is done.
    """

    manifest: Path = argument("MANIFEST", "Manifest, such as train.json.")
    output: Path = required("Folder of the embeddings.", also="-o")
    embedding: EmbeddingSettings = section(EmbeddingSettings, "How clips are embedded.", flags=True)
