"""Options of ``retrieve``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option, required, section
from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class RetrieveOptions(EncoderOptions):
    """Options of ``retrieve``."""

    data: Path = required("Manifest of the sounds, such as train.json.")
    query: tuple[str, ...] = argument("QUERY", "Sentences to find sounds by.", ())
    top: int = option(10, "Number of sounds per query, the nearest ones.", least=1)
    evaluate: bool = option(False, "Measure how well the manifest's captions find their sounds.", "--eval")
    cache: Path | None = option(None, "Folder of embeddings, such as embed writes.")
    embedding: EmbeddingSettings = section(EmbeddingSettings, "How clips are embedded.")
