"""The folder that ``embed`` fills: a cache of embeddings, and the row of each manifest row in it.

Several processes may fill it, each with its share of the clips; the last one to finish writes ``rows.npy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, clip_key, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.embed_options import EmbedOptions
from dplass_cli.records import write_rows
from dplass_cli.shards.addresses import shard_of
from dplass_cli.storage import Progress, atomic_path, no_progress, read_json, text_sha256, write_json

ROWS, DESCRIPTION = "rows.npy", "embeddings.json"


@dataclass(frozen=True)
class EmbedResult:
    """Result of :func:`embed_manifest_clips`.

    Attributes:
        rows: rows of the manifest.
        clips: distinct clips of this process's share.
        hits: clips whose embedding was in the cache already.
        embedded: clips embedded in this run.
        failed: {file: reason} of this process's share.
        complete: all processes have finished, and ``rows.npy`` is written.
    """

    rows: int
    clips: int
    hits: int
    embedded: int
    failed: dict[str, str]
    complete: bool


def embed_manifest_clips(
    rows: Sequence[Clip],
    options: EmbedOptions,
    encoder: QueryEncoder,
    process: tuple[int, int] = (0, 1),
    progress: Progress = no_progress,
) -> EmbedResult:
    """Embed the clips of manifest rows that are not in the cache yet: a process's share, (rank, processes).

    ``rows.npy`` (int64) will have the row of each manifest row in the array of embeddings, -1 where the clip failed;
    ``embeddings.json`` describes the array.

    Raises:
        InputError: an unusable folder, or one whose files are identified in another way.
        RunError: the disk is full.
    """
    rank, world = process
    clips = list(dict.fromkeys(rows))
    cache = EmbeddingCache(options.output, encoder, options.embedding.identity, writable=True)
    failed: dict[Clip, str] = {}
    share = _share(clips, rank, world)
    done = sum(1 for _ in embed_clips(share, encoder, cache, options.embedding, failed, progress))
    reasons = {str(clip.wav): reason for clip, reason in failed.items()}
    write_rows(
        cache.folder / f"failed-{rank}-of-{world}.csv",
        ("wav", "reason"),
        [{"wav": wav, "reason": reason} for wav, reason in reasons.items()],
    )
    listed = text_sha256("\n".join(map(str, clips)))
    write_json(_done(cache, rank, world), {"clips": listed, "failed": sorted(reasons)})
    failed_anywhere = _failed_files(cache, listed, world)
    complete = False
    if failed_anywhere is not None:
        cache.refresh()
        complete = _write_rows(rows, options, cache, encoder, failed_anywhere)
    return EmbedResult(len(rows), len(share), cache.hits, done - cache.hits, reasons, complete)


def _share(clips: Sequence[Clip], rank: int, world: int) -> list[Clip]:
    """A process's clips: each process reads shards of its own; other clips are dealt out in turn."""
    shards: dict[Path, int] = {}
    share = []
    for number, clip in enumerate(clips):
        shard = shard_of(clip.wav)
        if (number if shard is None else shards.setdefault(shard, len(shards))) % world == rank:
            share.append(clip)
    return share


def _done(cache: EmbeddingCache, rank: int, world: int) -> Path:
    return cache.folder / f"done-{rank}-of-{world}.json"


def _failed_files(cache: EmbeddingCache, listed: str, world: int) -> set[str] | None:
    """Return the files that failed in any process; None while a process has not finished these clips."""
    failed: set[str] = set()
    for rank in range(world):
        try:
            share = read_json(_done(cache, rank, world))
        except InputError:
            return None
        if share["clips"] != listed:
            return None
        failed.update(share["failed"])
    return failed


def _write_rows(
    rows: Sequence[Clip], options: EmbedOptions, cache: EmbeddingCache, encoder: QueryEncoder, failed: set[str]
) -> bool:
    """Write ``rows.npy`` and its description; False where an embedding is missing that did not fail."""
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
