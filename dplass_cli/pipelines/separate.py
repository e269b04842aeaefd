"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.encoders.vocabulary import out_of_vocabulary
from dplass_cli.errors import DplassError, InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.output import Separated
from dplass_cli.separation.queries import Query, parse_spans
from dplass_cli.separation.recordings import find_recordings
from dplass_cli.separation.separator import Separator
from dplass_cli.storage import Progress, no_progress, read_text


@dataclass(frozen=True)
class SeparateResult:
    """What came of it.

    Attributes:
        written: {input: what was written}. failed: {input: reason}.
        unlearnt: {sentence: that the encoder has learnt no word of it}.
    """

    written: dict[str, list[Separated]]
    failed: dict[str, str]
    unlearnt: dict[str, str]


def separate(options: SeparateOptions, progress: Progress = no_progress) -> SeparateResult:
    """Separate every recording by its queries. One that fails does not stop the others.

    Raises:
        InputError: wrong options or models, or no recording could be separated.
    """
    likes = [Query(like=like) for like in options.like]
    found = find_recordings(options.inputs, options.list, [*options.query, *_lines(options.queries), *likes])
    recordings = [replace(recording, queries=_asked(recording.queries, options)) for recording in found]
    separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine)
    asked: dict[str, Query] = {}
    for queries in dict.fromkeys(recording.queries for recording in recordings):
        asked |= separator.check(queries)  # a wrong query or policy is told before anything is read
    taken = {recording.path.resolve() for recording in recordings}
    written: dict[str, list[Separated]] = {}
    failed: dict[str, DplassError] = {}
    for number, recording in enumerate(recordings):
        which = f"({number + 1} of {len(recordings)})"
        try:
            done = separator.separate_file(
                recording.path,
                recording.queries,
                (options.output / recording.name).parent,
                residual=options.residual,
                subtype=options.subtype,
                clip=options.clip,
                highband=options.highband,
                name=Path(recording.name).name,
                taken=taken,
                progress=lambda samples, total, what, which=which: progress(samples, total, f"{what} {which}"),  # type: ignore[misc]
                consistent=options.consistent,
                silence_if_absent=options.silence_if_absent,
            )
            written.setdefault(str(recording.path), []).extend(done)
            taken |= {target.path.resolve() for target in done}
        except DplassError as error:
            failed[str(recording.path)] = error
    if not written:
        raise next(iter(failed.values()))
    sentences = dict.fromkeys(text for query in asked.values() for text in (query.text, *query.without) if text)
    notes = {sentence: out_of_vocabulary(sentence, separator.encoder) for sentence in sentences}
    return SeparateResult(
        written,
        {path: str(error) for path, error in failed.items()},
        {sentence: note for sentence, note in notes.items() if note is not None},
    )


def _asked(queries: Sequence[str | Query], options: SeparateOptions) -> tuple[Query, ...]:
    """A recording's queries with the spans and negatives of the options."""
    spans = () if options.spans is None else parse_spans(options.spans)
    if spans and len(queries) > 1:
        raise InputError("--spans tells where one target occurs; give one --query or --like with it")
    if not queries and (spans or options.without):
        queries = [Query(spans=spans, without=options.without)]
    whole = (query if isinstance(query, Query) else Query(query) for query in queries)
    return tuple(replace(query, spans=spans, without=options.without) for query in whole)


def _lines(path: Path | None) -> list[str]:
    """The lines of a file of queries that are not blank."""
    return [] if path is None else [line.strip() for line in read_text(path).splitlines() if line.strip()]
