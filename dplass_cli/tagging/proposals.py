"""``--query auto``: the sounds that are found in a recording become its queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.data.ontology import kinds_of
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import DplassError, InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.queries import Query
from dplass_cli.separation.recordings import Recording
from dplass_cli.storage import Progress, no_progress
from dplass_cli.tagging.labels import SentenceLabels, named_labels
from dplass_cli.tagging.tagger import Tag, Tagger

AUTO = "auto"
"""The query that stands for the sounds of a recording."""

MAX_PROPOSALS = 8
_SAME = 0.9  # cosine of two text embeddings from which on one query would separate the other's sound


class Proposer:
    """Proposes queries for recordings: the sounds that the encoder lists, or those of the bundled encoder.

    Args:
        encoder: embeds recordings and sounds.
        threshold: the lowest score of a proposed sound.

    Raises:
        InputError: the encoder cannot compare sounds.
    """

    def __init__(self, encoder: QueryEncoder, threshold: float) -> None:
        self._encoder, self._threshold = encoder, threshold
        self._tagger = Tagger(encoder, SentenceLabels(named_labels(None, encoder), encoder, "--query auto"), threshold)

    def __call__(self, path: Path, track: int = 0, progress: Progress = no_progress) -> tuple[Tag, ...]:
        """The sounds of a recording, the most probable first; at most :data:`MAX_PROPOSALS`.

        A sound that contains a more probable one, is contained in it, or means the same, is left out: its target would
        take a share of that sound. So is "speech" with "male speech", which the ontology does not list by that name.

        Raises:
            InputError: the recording cannot be read or is too short.
        """
        tags = self._tagger(path, track, progress).sounds
        if not tags:
            return ()
        vectors = self._encoder.embed_text([tag.sound for tag in tags])
        kinds = [kinds_of([tag.sound]) for tag in tags]
        kept: list[int] = []
        for row, (kind, vector) in enumerate(zip(kinds, vectors, strict=True)):
            name = tags[row].sound
            if not any(
                kind.related(kinds[other])
                or float(vector @ vectors[other]) > _SAME
                or _one_names_a_kind_of_the_other(name, tags[other].sound)
                for other in kept
            ):
                kept.append(row)
        return tuple(tags[row] for row in kept[:MAX_PROPOSALS])


def _one_names_a_kind_of_the_other(one: str, other: str) -> bool:
    """Whether one name ends in the other, as a compound noun ends in what it is a kind of: "male speech"."""
    one, other = f" {one.casefold()}", f" {other.casefold()}"
    return one.endswith(other) or other.endswith(one)


@dataclass(frozen=True)
class Proposals:
    """Recordings whose query ``auto`` was replaced.

    Attributes:
        recordings: those that have queries.
        found: {path of a recording: its sounds}.
        failed: {path of a recording: why no sound can be proposed}.
    """

    recordings: list[Recording]
    found: dict[str, tuple[Tag, ...]]
    failed: dict[str, str]


def with_proposals(
    recordings: Sequence[Recording],
    encoder: QueryEncoder,
    options: SeparateOptions,
    progress: Progress = no_progress,
) -> Proposals:
    """Replace the query ``auto`` by the sounds of each recording, whose targets then share it.

    What is kept out of the targets is kept out of each of them.

    Raises:
        InputError: ``auto`` has spans, the encoder cannot compare sounds, or no recording is left.
    """
    proposals = Proposals([], {}, {})
    errors: list[DplassError] = []
    propose: Proposer | None = None
    for recording in recordings:
        auto = [query for query in recording.queries if query.text == AUTO]
        if not auto:
            proposals.recordings.append(recording)
            continue
        if any(query.spans for query in auto):
            raise InputError("--spans: says where one sound is; name that sound instead of --query auto")
        propose = propose or Proposer(encoder, options.threshold)
        path = str(recording.path)
        try:
            tags = propose(recording.path, options.track - 1, progress)
            if not tags:
                raise InputError(
                    f"{path}: no sound reaches --threshold {options.threshold:g}; lower it, or describe a sound with"
                    " --query"
                )
            queries = [each for query in recording.queries for each in _replaced(query, tags)]
            if not queries:
                raise InputError(f"{path}: only sounds of --not were found; lower --threshold, or describe a sound")
        except DplassError as error:
            proposals.failed[path] = str(error)
            errors.append(error)
            continue
        proposals.found[path] = tags
        proposals.recordings.append(replace(recording, queries=tuple(dict.fromkeys(queries)), consistent=True))
    if not proposals.recordings:
        raise errors[0]
    return proposals


def _replaced(query: Query, tags: Sequence[Tag]) -> list[Query]:
    """``auto`` as one query per sound that is not kept out; another query as it is."""
    if query.text != AUTO:
        return [query]
    without = {sound.casefold() for sound in query.without}
    return [replace(query, text=tag.sound) for tag in tags if tag.sound.casefold() not in without]
