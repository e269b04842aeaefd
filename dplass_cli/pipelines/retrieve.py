"""``retrieve``: find the sounds of a manifest by sentences."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import load_encoder_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.errors import InputError
from dplass_cli.evaluation.retrieval import Found, Retrieval, SoundIndex
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.storage import Progress, no_progress


@dataclass(frozen=True)
class RetrieveResult:
    """Result of :func:`retrieve`.

    Attributes:
        found: {query: its nearest sounds}.
        evaluation: how well captions retrieve their sounds; None where it was not asked for.
        failed: {file: why it could not be embedded}.
    """

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
    cache = None if options.cache is None else EmbeddingCache(options.cache, encoder, options.embedding.identity)
    index = SoundIndex(rows, encoder, cache, options.embedding, progress)
    found = index.search(options.query, options.top)
    return RetrieveResult(found, index.evaluate() if options.evaluate else None, index.failed)
