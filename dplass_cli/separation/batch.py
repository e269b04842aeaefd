"""Separating several recordings: what the options name, one after the other, collecting outputs and failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dplass_cli.errors import DplassError, InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.output import Separated
from dplass_cli.separation.queries import Query, parse_spans
from dplass_cli.separation.recordings import Recording, find_recordings
from dplass_cli.separation.separator import Separator
from dplass_cli.storage import Progress, no_progress, read_text


def requested_recordings(options: SeparateOptions) -> list[Recording]:
    """The recordings that the options name, each with its complete queries.

    Raises:
        InputError: an input, the list or a query is wrong.
    """
    spans = () if options.spans is None else parse_spans(options.spans)
    sentences = [*options.query, *_read_lines(options.queries)]
    shared: list[str | Query] = [*sentences, *(Query(like=path) for path in options.like)]
    if not shared and (spans or options.without):
        shared = [Query()]  # they may stand alone
    recordings = find_recordings(options.inputs, options.list, shared)

    def complete(queries: Sequence[str | Query]) -> tuple[Query, ...]:
        """Add the spans and the negatives, which apply to every query."""
        if spans and len(queries) > 1:
            raise InputError(f"--spans {options.spans}: applies to a single target, not {len(queries)}; give one query")
        whole = (query if isinstance(query, Query) else Query(query) for query in queries)
        return tuple(replace(query, spans=spans, without=options.without) for query in whole)

    return [replace(recording, queries=complete(recording.queries)) for recording in recordings]


def _read_lines(path: Path | None) -> list[str]:
    """The lines of a file that are not blank; none without a file."""
    if path is None:
        return []
    if lines := [line.strip() for line in read_text(path).splitlines() if line.strip()]:
        return lines
    raise InputError(f"{path}: contains no query; write one per line")


def separate_recordings(
    separator: Separator, recordings: Sequence[Recording], options: SeparateOptions, progress: Progress = no_progress
) -> tuple[dict[str, list[Separated]], dict[str, str]]:
    """Separate every recording by its queries. One that fails does not stop the others.

    Args:
        separator: separates each.
        recordings: what to separate.
        options: output folder and format.
        progress: called with the samples done of each recording.

    Returns:
        {path of a recording: what was written} and {path of a recording: why it failed}.

    Raises:
        InputError: a query or the policy is wrong, or no recording could be separated.
        RunError: no recording could be separated.
    """
    for queries in dict.fromkeys(recording.queries for recording in recordings):
        separator.check(queries)  # fails before anything is read
    # No output may overwrite an input, or an output of a recording before it.
    taken = {recording.path.resolve() for recording in recordings}
    written: dict[str, list[Separated]] = {}
    failed: dict[str, DplassError] = {}
    for number, recording in enumerate(recordings, start=1):

        def report(done: int, total: int, what: str, number: int = number) -> None:
            progress(done, total, f"{what} ({number} of {len(recordings)})")

        try:
            targets = separator.separate_file(
                recording.path,
                recording.queries,
                (options.output / recording.name).parent,
                residual=options.residual,
                subtype=options.subtype,
                clip=options.clip,
                highband=options.highband,
                name=Path(recording.name).name,
                taken=taken,
                progress=report,
                consistent=options.consistent,
                silence_if_absent=options.silence_if_absent,
            )
            written.setdefault(str(recording.path), []).extend(targets)
            taken |= {target.path.resolve() for target in targets}
        except DplassError as error:
            failed[str(recording.path)] = error
    if not written and failed:
        raise next(iter(failed.values()))
    return written, {path: str(error) for path, error in failed.items()}


def sentences_of(recordings: Sequence[Recording]) -> list[str]:
    """The distinct sentences of all queries, negatives included."""
    queries = [query if isinstance(query, Query) else Query(query) for r in recordings for query in r.queries]
    return list(dict.fromkeys(text for query in queries for text in (query.text, *query.without) if text))
