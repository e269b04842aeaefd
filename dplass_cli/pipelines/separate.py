"""``separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.errors import DplassError, InputError
from dplass_cli.pipelines.models import SeparatorOptions
from dplass_cli.separation.output import Clip, Highband, Separated
from dplass_cli.separation.queries import Query, parse_spans
from dplass_cli.separation.recordings import find_recordings
from dplass_cli.storage import Progress, no_progress, read_text


@dataclass(frozen=True)
class SeparateOptions(SeparatorOptions):
    """Options of ``separate``; the models as :class:`~dplass_cli.pipelines.models.SeparatorOptions`.

    Attributes:
        inputs: audio files, folders of them, or patterns.
        query: sentences, one target each. queries: a file of sentences, a line each.
        like: recordings of a sound, or folders of several, one target each.
        spans: where the one target occurs, in seconds, such as ``3.2-4.0,6-7``.
        without: sentences about what every target is to be kept free of; without a target: the input less all of it.
        output: folder of the targets.
        list: a file of ``path<TAB>query<TAB>output name`` lines.
        residual: also write the input less all targets.
        consistent, silence_if_absent, highband: as :meth:`~dplass_cli.separation.separator.Separator.separate_file`.
        subtype, clip: as :class:`~dplass_cli.separation.output.Output`.
    """

    output: Path
    inputs: tuple[Path, ...] = ()
    query: tuple[str, ...] = ()
    queries: Path | None = None
    like: tuple[Path, ...] = ()
    spans: str | None = None
    without: tuple[str, ...] = ()
    list: Path | None = None
    residual: bool = False
    consistent: bool = False
    silence_if_absent: float | None = None
    subtype: str | None = None
    clip: Clip = "limit"
    highband: Highband | None = None

    def __post_init__(self) -> None:
        if self.silence_if_absent is not None and not 0.0 <= self.silence_if_absent <= 1.0:
            raise InputError(f"--silence-if-absent {self.silence_if_absent}: must be a score from 0 to 1, such as 0.5")


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
    separator = options.load_separator()
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
    notes = {sentence: separator.encoder.out_of_vocabulary(sentence) for sentence in sentences}
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
