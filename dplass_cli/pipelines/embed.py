"""``embed``: the audio embeddings of a manifest's clips, computed once."""

from __future__ import annotations

from dplass_cli.data.manifest import read_manifest
from dplass_cli.devices import process_share
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import load_encoder_of
from dplass_cli.encoders.embeddings_folder import EmbedResult, embed_manifest_clips
from dplass_cli.options.embed_options import EmbedOptions
from dplass_cli.storage import Progress, no_progress


def embed(options: EmbedOptions, progress: Progress = no_progress) -> EmbedResult:
    """Embed the clips that are not in the cache yet. Under ``torchrun`` each process embeds its share.

    Raises:
        InputError: an unusable manifest, encoder or folder, or one whose files are identified in another way.
        RunError: the disk is full.
    """
    process = process_share()
    rows = [clip_of(row) for row in read_manifest(options.manifest)]
    encoder = load_encoder_of(options.model)
    return embed_manifest_clips(rows, options, encoder, process, progress)
