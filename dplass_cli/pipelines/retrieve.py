"""``retrieve``: sounds of a manifest by sentences, over the embeddings that the caches hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder, load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.evaluation.retrieval import Retrieval, Vectors, evaluate_retrieval, rank
from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.storage import Progress, no_progress


@dataclass(frozen=True)
class Found:
    """A sound that a query found: its rank from 1, its cosine with the query, where it lies, and its captions."""

    rank: int
    similarity: float
    wav: str
    start: float
    end: float | None
    captions: tuple[str, ...]


@dataclass(frozen=True)
class RetrieveResult:
    """What each query found, how well captions find their sounds, and {file: why} of what could not be embedded."""

    found: dict[str, list[Found]]
    evaluation: Retrieval | None
    failed: dict[str, str]


def retrieve(options: RetrieveOptions, progress: Progress = no_progress) -> RetrieveResult:
    """Find sounds.

    Raises:
        InputError: neither queries nor ``evaluate``, an empty query, an unusable manifest or encoder, or no sound that
            can be read.
    """
    if not options.query and not options.evaluate:
        raise InputError("give a sentence to find sounds by, or --eval")
    if not all(query.strip() for query in options.query):
        raise InputError("a query is empty; describe the sound, such as 'a dog barking'")
    rows = read_manifest(options.data)
    encoder = load_encoder_of(options.model)
    identity = options.embedding.identity
    cache = None if options.cache is None else EmbeddingCache(options.cache, encoder, identity)
    failed: dict[Clip, str] = {}
    clips, sounds = _embed([clip_of(row) for row in rows], encoder, cache, options.embedding, failed, progress)
    captions = _captions(rows)
    found = {
        query: [
            Found(place + 1, cosine, str(clips[row].wav), clips[row].start, clips[row].end, captions[clips[row]])
            for place, (row, cosine) in enumerate(rank(vector, sounds, options.top))
        ]
        for query, vector in zip(options.query, _texts(options.query, encoder), strict=True)
    }
    evaluation = _evaluate(rows, clips, sounds, encoder) if options.evaluate else None
    return RetrieveResult(found, evaluation, {str(clip.wav): reason for clip, reason in failed.items()})


def _evaluate(rows: Sequence[Row], clips: Sequence[Clip], sounds: Vectors, encoder: QueryEncoder) -> Retrieval:
    """Let every distinct caption look for its sounds."""
    place = {clip: row for row, clip in enumerate(clips)}
    relevant: dict[str, set[int]] = {}
    for row in rows:
        if clip_of(row) in place:
            relevant.setdefault(row.caption, set()).add(place[clip_of(row)])
    return evaluate_retrieval(_texts(list(relevant), encoder), list(relevant.values()), sounds)


def _captions(rows: Sequence[Row]) -> dict[Clip, tuple[str, ...]]:
    captions: dict[Clip, tuple[str, ...]] = {}
    for row in rows:
        captions[clip_of(row)] = (*captions.get(clip_of(row), ()), row.caption)
    return captions


def _texts(sentences: Sequence[str], encoder: QueryEncoder) -> Vectors:
    if not sentences:
        return np.empty((0, encoder.size), dtype=np.float32)
    vectors: Vectors = encoder.embed_text(sentences).numpy()
    return vectors


def _embed(
    clips: Sequence[Clip],
    encoder: QueryEncoder,
    cache: EmbeddingCache | None,
    settings: EmbeddingSettings,
    failed: dict[Clip, str],
    progress: Progress,
) -> tuple[list[Clip], Vectors]:
    """Embed distinct clips: those that could be, and their vectors (N, D)."""
    pairs = list(embed_clips(list(dict.fromkeys(clips)), encoder, cache, settings, failed, progress))
    if not pairs:
        raise InputError(next(iter(failed.values()), "there is no sound to embed"))
    return [clip for clip, _ in pairs], np.stack([vector for _, vector in pairs])
