"""Options of ``retrieve``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class RetrieveOptions(EncoderOptions):
    """Options of ``retrieve``; the encoder as :class:`~dplass_cli.options.model_options.EncoderOptions`.

    Attributes:
        data: the manifest of the sounds.
        query: sentences to find sounds by.
        top: how many of the nearest sounds.
        evaluate: also measure how well the manifest's own captions find their sounds.
        cache: folder of embeddings that ``embed`` keeps; None embeds anew.
        embedding: batch, readers, and how files are identified.
    """

    data: Path
    query: tuple[str, ...] = ()
    top: int = 10
    evaluate: bool = False
    cache: Path | None = None
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f"top must be at least 1, not {self.top}")
