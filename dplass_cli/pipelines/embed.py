"""``embed``: the audio embeddings of a manifest's clips, once, for whatever needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dplass_cli.data.manifest import read_manifest
from dplass_cli.devices import process_share
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder, load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, clip_key, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.embed_options import EmbedOptions
from dplass_cli.records import write_rows
from dplass_cli.storage import Progress, atomic_path, no_progress, read_json, text_sha256, write_json

ROWS, DESCRIPTION = "rows.npy", "embeddings.json"


@dataclass(frozen=True)
class EmbedResult:
    """What was done.

    Attributes:
        rows, clips: of the manifest; of its distinct clips, this process's share.
        hits: clips whose embedding was there already.
        embedded: clips that were embedded now.
        failed: {file: why} of this process's share.
        complete: every clip of the manifest is done, by whatever process, and ``rows.npy`` is written.
    """

    rows: int
    clips: int
    hits: int
    embedded: int
    failed: dict[str, str]
    complete: bool


def embed(options: EmbedOptions, progress: Progress = no_progress) -> EmbedResult:
    """Embed what is not in the cache yet. Under ``torchrun`` each process does its share, no clip twice.

    Raises:
        InputError: an unusable manifest, encoder or folder, or another identity than the folder's.
        RunError: the disk is full.
    """
    rank, world = process_share()
    rows = [clip_of(row) for row in read_manifest(options.manifest)]
    clips = list(dict.fromkeys(rows))
    encoder = load_encoder_of(options.model)
    cache = EmbeddingCache(options.output, encoder, options.embedding.identity)
    failed: dict[Clip, str] = {}
    share = clips[rank::world]
    done = sum(1 for _ in embed_clips(share, encoder, cache, options.embedding, failed, progress))
    listed = text_sha256("\n".join(map(str, clips)))
    reasons = {str(clip.wav): reason for clip, reason in failed.items()}
    write_rows(
        cache.folder / f"failed-{rank}-of-{world}.csv",
        ("wav", "reason"),
        [{"wav": wav, "reason": reason} for wav, reason in reasons.items()],
    )
    write_json(cache.folder / f"done-{rank}-of-{world}.json", {"clips": listed, "failed": sorted(reasons)})
    complete = _finish(options, cache, encoder, rows, listed, world)
    return EmbedResult(len(rows), len(share), cache.hits, done - cache.hits, reasons, complete)


def _finish(
    options: EmbedOptions,
    cache: EmbeddingCache,
    encoder: QueryEncoder,
    rows: Sequence[Clip],
    listed: str,
    world: int,
) -> bool:
    """Write the rows of the manifest where every process has done its share; the last of them finds that."""
    failed: set[str] = set()
    for rank in range(world):
        try:
            share = read_json(cache.folder / f"done-{rank}-of-{world}.json")
        except InputError:
            return False
        if share["clips"] != listed:
            return False
        failed.update(share["failed"])
    cache.refresh()
    clips = list(dict.fromkeys(rows))
    keys = {clip: clip_key(clip, cache.identity) for clip in clips}
    known = {clip: key for clip, key in keys.items() if key is not None}
    found = dict(zip(known, cache.find(list(known.values())).tolist(), strict=True))
    if any(found.get(clip, -1) < 0 and str(clip.wav) not in failed for clip in clips):
        return False
    places: npt.NDArray[np.int64] = np.array([found.get(clip, -1) for clip in rows], dtype=np.int64)
    with atomic_path(options.output / ROWS) as temporary:
        np.save(temporary, places)
    write_json(
        options.output / DESCRIPTION,
        {
            "vectors": f"{cache.folder.name}/vectors.f32",
            "size": cache.size,
            "rows": len(rows),
            "failed_rows": int((places < 0).sum()),
            "manifest": str(options.manifest),
            "encoder": encoder.name,
            "encoder_fingerprint": encoder.fingerprint,
            "windows": encoder.windows,
        },
    )
    return True
