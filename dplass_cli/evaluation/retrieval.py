"""Text-to-audio retrieval: ranking sounds by their cosine with a sentence, and how good the rankings are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.storage import Progress, no_progress

Vectors = npt.NDArray[np.float32]

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Retrieval:
    """How well sentences retrieve their sounds.

    Attributes:
        queries: number of sentences.
        sounds: number of sounds.
        recall: {k: share of the queries with one of their sounds among the first k}.
        map10: mean average precision of the first ten, as in DCASE's language-based audio retrieval.
        median_rank: median over the queries of the rank, from 1, of the first of their sounds.
    """

    queries: int
    sounds: int
    recall: dict[int, float]
    map10: float
    median_rank: float


@dataclass(frozen=True)
class Found:
    """A sound that a query retrieved.

    Attributes:
        rank: from 1.
        similarity: cosine with the query.
        wav: the file.
        start: of the clip, seconds.
        end: of the clip, seconds; None for the end of the file.
        captions: of the clip.
    """

    rank: int
    similarity: float
    wav: str
    start: float
    end: float | None
    captions: tuple[str, ...]


class SoundIndex:
    """The embedded clips of a manifest, to search by sentences.

    Attributes:
        failed: {file: why it could not be embedded}.

    Raises:
        InputError: no sound can be embedded.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        encoder: QueryEncoder,
        cache: EmbeddingCache | None,
        settings: EmbeddingSettings,
        progress: Progress = no_progress,
    ) -> None:
        self._encoder = encoder
        self._captions: dict[Clip, list[str]] = {}
        for row in rows:
            self._captions.setdefault(clip_of(row), []).append(row.caption)
        failed: dict[Clip, str] = {}
        pairs = list(embed_clips(list(self._captions), encoder, cache, settings, failed, progress))
        if not pairs:
            raise InputError(next(iter(failed.values()), "the manifest contains no sound"))
        self.failed = {str(clip.wav): reason for clip, reason in failed.items()}
        self._clips = [clip for clip, _ in pairs]
        self._vectors = np.stack([vector for _, vector in pairs])

    def search(self, queries: Sequence[str], top: int) -> dict[str, list[Found]]:
        """Find the ``top`` nearest sounds of each query, the nearest first."""
        found: dict[str, list[Found]] = {}
        for query, vector in zip(queries, self._embed(queries), strict=True):
            found[query] = []
            for position, (row, cosine) in enumerate(rank(vector, self._vectors, top), start=1):
                clip = self._clips[row]
                captions = tuple(self._captions[clip])
                found[query].append(Found(position, cosine, str(clip.wav), clip.start, clip.end, captions))
        return found

    def evaluate(self) -> Retrieval:
        """Measure how well the distinct captions retrieve their own sounds."""
        return evaluate_captions([self._captions[clip] for clip in self._clips], self._vectors, self._embed)

    def _embed(self, sentences: Sequence[str]) -> Vectors:
        if not sentences:
            return np.empty((0, self._encoder.size), dtype=np.float32)
        vectors: Vectors = self._encoder.embed_text(sentences).numpy()
        return vectors


def evaluate_captions(
    captions: Sequence[Sequence[str]], sounds: Vectors, embed: Callable[[Sequence[str]], Vectors]
) -> Retrieval:
    """Measure how well the distinct captions of N sounds retrieve them.

    Args:
        captions: of each sound.
        sounds: (N, D), unit norm.
        embed: embeds sentences, (M, D), unit norm.
    """
    relevant: dict[str, set[int]] = {}
    for row, own in enumerate(captions):
        for caption in own:
            relevant.setdefault(caption, set()).add(row)
    return evaluate_retrieval(embed(list(relevant)), list(relevant.values()), sounds)


def rank(query: Vectors, sounds: Vectors, top: int) -> list[tuple[int, float]]:
    """Rank sounds (N, D) by their cosine with a query (D,), all of unit norm: (row, cosine) of the ``top`` nearest.

    Equal ones stay in order.
    """
    cosines = sounds @ query
    order = np.argsort(-cosines, kind="stable")[:top]
    return [(int(row), float(cosines[row])) for row in order]


def evaluate_retrieval(queries: Vectors, relevant: Sequence[set[int]], sounds: Vectors) -> Retrieval:
    """Rank all sounds for every query, and measure the rankings.

    Args:
        queries: (Q, D), unit norm.
        relevant: for each query, the rows of ``sounds`` that it describes; at least one.
        sounds: (N, D), unit norm.
    """
    first_ranks: list[int] = []
    precisions: list[float] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        cosines = queries[start : start + _QUERIES_AT_ONCE] @ sounds.T
        for row, wanted in zip(cosines, relevant[start : start + _QUERIES_AT_ONCE], strict=True):
            order = np.argsort(-row, kind="stable")
            hits = np.isin(order, list(wanted))
            first_ranks.append(int(hits.argmax()) + 1)
            precisions.append(_average_precision(hits[:10], len(wanted)))
    ranks = np.array(first_ranks)
    return Retrieval(
        len(queries),
        len(sounds),
        {k: float((ranks <= k).mean()) for k in (1, 5, 10)},
        float(np.mean(precisions)),
        float(np.median(ranks)),
    )


def _average_precision(hits: npt.NDArray[np.bool_], relevant: int) -> float:
    """The mean of the precision at each hit, over the relevant sounds that these ranks can hold."""
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / min(relevant, len(hits)))
