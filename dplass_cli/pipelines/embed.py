"""``embed``: the audio embeddings of a manifest's clips, computed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.data.manifest import read_manifest
from dplass_cli.devices import process_share
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders.clips import Embedding
from dplass_cli.encoders.embeddings_folder import EmbedResult, embed_manifest_clips
from dplass_cli.pipelines.models import EncoderOptions
from dplass_cli.storage import Progress, no_progress


@dataclass(frozen=True)
class EmbedOptions(EncoderOptions):
    """Options of ``embed``; the encoder as :class:`~dplass_cli.pipelines.models.EncoderOptions`.

    Attributes:
        manifest: whose clips to embed.
        output: folder of the cache; ``rows.npy`` (int64, a manifest row's row in the array, -1 where its clip failed)
            and ``embeddings.json`` are written when every clip is done.
        embedding: batch, readers, and how files are identified.
    """

    manifest: Path = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    embedding: Embedding = field(default_factory=Embedding)


def embed(options: EmbedOptions, progress: Progress = no_progress) -> EmbedResult:
    """Embed the clips that are not in the cache yet. Under ``torchrun`` each process embeds its share.

    Raises:
        InputError: an unusable manifest, encoder or folder, or one whose files are identified in another way.
        RunError: the disk is full.
    """
    process = process_share()
    rows = [clip_of(row) for row in read_manifest(options.manifest)]
    encoder = options.load_encoder()
    return embed_manifest_clips(rows, options.manifest, options.output, encoder, options.embedding, process, progress)
