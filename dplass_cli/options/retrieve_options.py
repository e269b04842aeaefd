"""Options of ``retrieve``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, check_field, option, section
from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class RetrieveOptions(EncoderOptions):
    """Options of ``retrieve``."""

    data: Path = option("--data", help="Manifest of the sounds, such as train.json.")
    query: tuple[str, ...] = argument("QUERY", default=(), help="Sentences to find sounds by.")
    top: int = option("--top", default=10, help="Number of sounds per query, the nearest ones.")
    evaluate: bool = option("--eval", default=False, help="Measure how well the manifest's captions find their sounds.")
    cache: Path | None = option("--cache", default=None, help="Folder of embeddings, such as embed writes.")
    embedding: EmbeddingSettings = section(EmbeddingSettings, help="How clips are embedded.")

    def __post_init__(self) -> None:
        check_field(self, "top", self.top >= 1, "at least 1")
