"""Audio and text features of captions, by which they are partitioned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from dplass_cli.data.manifest import Row
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Features
from dplass_cli.storage import Progress, no_progress

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TEXT_BATCH = 256
_SUM_BYTES = 40  # enough for the sum of 2^64 hashes of 32 bytes


@dataclass(frozen=True, eq=False)
class CaptionFeatures:
    """The distinct captions of a manifest, in alphabetical order, with their features.

    Attributes:
        captions: C texts.
        clips: int64 (C,), the number of rows with each caption.
        audio: float64 (C, D), unit norm: the mean of the audio embeddings of each caption's clips.
        text: float64 (C, D), unit norm: the text embedding of each caption.
    """

    captions: tuple[str, ...]
    clips: IntArray
    audio: FloatArray
    text: FloatArray

    def of(self, kind: Features) -> FloatArray:
        """Return one kind of features: float64 (C, D), or (C, 2 D) for ``both``."""
        if kind == "both":  # concatenated, so that a squared distance is the mean of both
            joined: FloatArray = np.concatenate((self.audio, self.text), axis=1) / np.sqrt(2.0)
            return joined
        return self.audio if kind == "audio" else self.text


def clip_of(row: Row) -> Clip:
    """Return the file range that a row uses."""
    return Clip(row.wav, row.start, row.end)


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in an order that depends on their content only; the rows of a clip are adjacent."""
    ordered = sorted(rows, key=lambda row: str(row.wav))
    runs = groupby(ordered, lambda row: row.wav)  # sorting by whole rows at once would take as much memory as the rows
    return [row for _, run in runs for row in sorted(run, key=_content)]


def rows_sha256(rows: Iterable[Row]) -> str:
    """Hash the content of rows, in any order; files are identified by name, so that a corpus may be moved.

    The hashes of single rows are added, which needs no sorting (Bellare and Micciancio, "A New Paradigm for
    Collision-Free Hashing", 1997).
    """
    encode = json.JSONEncoder().encode
    digests = (hashlib.sha256(encode([row.wav.name, *_content(row)]).encode()).digest() for row in rows)
    total = sum(int.from_bytes(digest, "big") for digest in digests)
    return hashlib.sha256(total.to_bytes(_SUM_BYTES, "big")).hexdigest()


def _content(row: Row) -> tuple[float, float, str, str, tuple[str, ...]]:
    end = -1.0 if row.end is None else row.end
    return row.start, end, row.caption, row.id, row.labels


def caption_features(
    rows: Sequence[Row],
    encoder: QueryEncoder,
    progress: Progress = no_progress,
    cache: EmbeddingCache | None = None,
) -> CaptionFeatures:
    """Compute the features of each distinct caption of :func:`sorted_rows`; a file range is embedded once.

    Embeddings are summed as they are computed, so that memory grows with the captions and not with the clips. Where the
    encoder embeds no sounds, clips are not read, and the text embeddings stand for the audio.

    Raises:
        InputError: a clip cannot be read, or an embedding is not finite; the message names the file or caption.
    """
    captions = tuple(sorted({row.caption for row in rows}))
    index = {caption: position for position, caption in enumerate(captions)}
    counts = np.bincount([index[row.caption] for row in rows], minlength=len(captions)).astype(np.int64)
    if not encoder.embeds_audio:
        text = text_features(captions, encoder)
        return CaptionFeatures(captions, counts, text, text)
    sums = np.zeros((len(captions), encoder.size))
    total = sum(1 for _ in groupby(rows, clip_of))
    clips = (clip for clip, _ in groupby(rows, clip_of))
    embeddings = embed_clips(clips, encoder, cache, progress=progress, total=total)
    for (_, embedding), (_, users) in zip(embeddings, groupby(rows, clip_of), strict=True):
        for row in users:
            sums[index[row.caption]] += embedding
    return CaptionFeatures(captions, counts, unit(sums), text_features(captions, encoder))


def text_features(captions: Sequence[str], encoder: QueryEncoder) -> FloatArray:
    """Embed captions: float64 (N, D), unit norm.

    Raises:
        InputError: an embedding is not finite; the message names the caption.
    """
    features = np.empty((len(captions), encoder.size))
    for first in range(0, len(captions), _TEXT_BATCH):
        part = captions[first : first + _TEXT_BATCH]
        features[first : first + len(part)] = encoder.embed_text(part).numpy()
    for caption, feature in zip(captions, features, strict=True):
        if not np.isfinite(feature).all():
            raise InputError(f"caption {caption!r}: its text embedding is not finite; change or remove the caption")
    return unit(features)


def unit(vectors: FloatArray) -> FloatArray:
    """Scale vectors (..., D) to unit norm; a zero vector stays zero."""
    norms = np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    scaled: FloatArray = vectors / np.maximum(norms, np.finfo(np.float64).tiny)
    return scaled


def similarities(vectors: FloatArray, centroids: FloatArray) -> FloatArray:
    """Return the dot products (N, K) of vectors (N, D) with centroids (K, D).

    Computed without BLAS, whose rounding depends on the number of threads.
    """
    products: FloatArray = np.einsum("nd,kd->nk", vectors, centroids)
    return products
