"""The recordings to separate: files, folders, patterns and lists, each with its queries and the name of its outputs."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from dplass_cli.audio.folders import audio_files
from dplass_cli.audio.video import SOUNDS
from dplass_cli.errors import DplassError, InputError, path_error
from dplass_cli.file_names import existing_path, is_text, usable_name, with_slashes
from dplass_cli.options.separate_options import FileFormat, SeparateOptions
from dplass_cli.separation.output import Existing, Separated, check_template, unused_name
from dplass_cli.separation.queries import Query, named, parse_spans
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.wishes import understood
from dplass_cli.storage import Progress, no_progress, read_text, resolved


@dataclass(frozen=True)
class Recording:
    """A recording to separate.

    Attributes:
        path: the audio file.
        queries: what to separate.
        name: common stem of the outputs, relative to the output folder; may contain folders.
        consistent: its targets share the recording, also where the options do not ask for it.
    """

    path: Path
    queries: tuple[Query, ...]
    name: str
    consistent: bool = False


def requested_recordings(options: SeparateOptions) -> list[Recording]:
    """The recordings that the options name, each with its complete queries; InputError if one is wrong."""
    words = [str(path) for path in options.inputs if not path.exists() and not path.suffix and len(path.parts) == 1]
    asked = (options.query, options.queries, options.like, options.without, options.reduce, options.spans)
    if words and len(words) < len(options.inputs) and not any(asked):
        raise InputError(f"{words[0]}: no such file, and no query is given; did you mean --query {' '.join(words)!r}?")
    spans = () if options.spans is None else parse_spans(options.spans)
    queries = [
        *map(understood, options.query),
        *_read_queries(options.queries),
        *(Query(like=path) for path in options.like),
    ]
    for folder in options.like:
        if folder.is_dir() and resolved(options.output).is_relative_to(resolved(folder)):
            raise InputError(
                f"--output {options.output}: is inside --like {folder}, so that targets would become examples;"
                " give another folder"
            )
    reduce = tuple(options.reduce.items())
    if not queries and (spans or options.without or reduce):
        queries = [Query()]  # they may stand alone

    def complete(recording: Recording) -> Recording:
        """Add the spans, the negatives and what is turned down, which apply to every query."""
        own = recording.queries
        if spans and len(own) > 1:
            raise InputError(f"--spans {options.spans}: applies to a single target, not {len(own)}; give one query")
        more = [
            replace(q, spans=spans, without=(*q.without, *options.without), reduce=(*q.reduce, *reduce)) for q in own
        ]
        return replace(recording, queries=tuple(more))

    return [complete(recording) for recording in find_recordings(options.inputs, options.list, queries, options.output)]


def _read_queries(path: Path | None) -> list[Query]:
    if path is None:
        return []
    if lines := [line.strip() for line in read_text(path).splitlines() if line.strip()]:
        return [understood(line) for line in lines]
    raise InputError(f"{path}: contains no query; write one per line")


def find_recordings(
    inputs: Iterable[Path], list_file: Path | None, queries: Sequence[Query], output: Path | None = None
) -> list[Recording]:
    """The recordings that inputs and a list name, in their order; no two have the same output name.

    Args:
        inputs: files; folders, whose audio files keep their places in sub-folders; patterns such as ``takes/*.wav``.
        list_file: lines ``path``, ``path<TAB>query`` or ``path<TAB>query<TAB>output name``. Relative paths are relative
            to its folder. Lines with the same path and output name are one recording with several queries.
        queries: for recordings that have none of their own.
        output: the folder of the results; what it contains is not an input where it lies inside an input folder.

    Raises:
        InputError: there are no recordings, a pattern matches no file, a folder contains no audio, or a line of the
            list is malformed or leaves a recording without a query.
    """
    recordings = [Recording(path, tuple(queries), name) for entry in inputs for path, name in _expand(entry, output)]
    if list_file is not None:
        recordings += _read_list(list_file, queries)
    if not recordings:
        raise InputError("no input is given; name recordings, folders or a --list")
    taken: set[str] = set()  # two folders may contain files of the same name
    return [replace(recording, name=unused_name(_usable(recording.name), taken)) for recording in recordings]


def _usable(name: str) -> str:
    return "/".join(map(usable_name, with_slashes(name).split("/")))


def _expand(entry: Path, output: Path | None) -> list[tuple[Path, str]]:
    """The files of an input, each with its output name."""
    if entry.is_dir():
        return [(path, path.relative_to(entry).with_suffix("").as_posix()) for path in audio_files(entry, output)]
    # A file whose name looks like a pattern is that file; for a missing file, reading it gives the better message.
    if entry.exists() or not glob.has_magic(str(entry)):
        return [(existing_path(entry), entry.stem)]
    matches = [Path(path) for path in sorted(glob.glob(str(entry), recursive=True))]  # noqa: PTH207 (takes absolute patterns)
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), entry.parts))
    if output is not None and not resolved(fixed).is_relative_to(resolved(output)):
        matches = [path for path in matches if not resolved(path).is_relative_to(resolved(output))]
    files = [path for path in matches if not path.is_dir()]
    if not files:
        raise InputError(f"{entry}: no file matches; check the pattern")
    return [(path, path.stem) for path in files]


def _read_list(list_file: Path, queries: Sequence[Query]) -> list[Recording]:
    queries_by_output: dict[tuple[Path, str], list[Query]] = {}
    for number, line in enumerate(read_text(list_file, errors="surrogateescape").split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        path, *fields = line.split("\t")
        if not path.strip() or len(fields) > 2 or "\0" in line:
            raise InputError(f"{list_file}: line {number}: expected path<TAB>query<TAB>output name, not {line[:80]!r}")
        if not fields and (words := _query_after(line, list_file.parent)):
            raise InputError(
                f"{list_file}: line {number}: {words!r} is separated from the path by a blank; expected"
                " path<TAB>query<TAB>output name"
            )
        wav = existing_path(list_file.parent / path)
        query, name = (field.strip() for field in [*fields, "", ""][:2])
        if not is_text(query):
            raise InputError(f"{list_file}: line {number}: the query is not UTF-8 text; save the file as UTF-8")
        name = name or wav.stem
        if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).name:
            raise InputError(
                f"{list_file}: line {number}: the output name {name!r} leaves the output folder; use a relative name"
            )
        if not query and not queries:
            raise InputError(f"{list_file}: line {number}: no query; expected path<TAB>query, or give --query for all")
        queries_by_output.setdefault((wav, name), []).extend([understood(query)] if query else queries)
    return [Recording(path, tuple(dict.fromkeys(own)), name) for (path, name), own in queries_by_output.items()]


def _query_after(line: str, folder: Path) -> str:
    """What follows the name of an existing file and a blank in a line of a list; empty if there is no such file."""
    if os.path.exists(folder / line):  # noqa: PTH110 (Path.exists raises for names that no file can have)
        return ""
    ends = (blank for blank in re.finditer(r"\s+", line) if os.path.isfile(folder / line[: blank.start()]))  # noqa: PTH113
    return next((line[blank.end() :] for blank in ends), "")


def separate_recordings(
    separator: Separator, recordings: Sequence[Recording], options: SeparateOptions, progress: Progress = no_progress
) -> tuple[dict[str, list[Separated]], dict[str, str]]:
    """Separate every recording by its queries. One that fails does not stop the others, unless all fail.

    Returns:
        {path of a recording: what was written} and {path of a recording: why it failed}.
    """
    for queries in dict.fromkeys(recording.queries for recording in recordings):
        separator.check(queries)  # fails before anything is read
    recordings, folder, template, format = _places(options, recordings)
    existing: Existing = "overwrite" if options.overwrite else "skip" if options.skip_existing else "refuse"
    # No output may overwrite an input, or an output of a recording before it.
    taken = {resolved(recording.path) for recording in recordings}
    written: dict[str, list[Separated]] = {}
    failed: dict[str, DplassError] = {}
    for number, recording in enumerate(recordings, start=1):

        def report(done: int, total: int, what: str, number: int = number) -> None:
            progress(done, total, f"{what} ({number} of {len(recordings)})")

        try:
            targets = separator.separate_file(
                recording.path,
                recording.queries,
                (folder / recording.name).parent,
                residual=options.residual,
                subtype=options.subtype,
                clip=options.clip,
                highband=options.highband,
                name=Path(recording.name).name,
                taken=taken,
                progress=report,
                consistent=options.consistent or recording.consistent,
                silence_if_absent=options.silence_if_absent,
                mix=options.mix,
                template=template,
                format=format,
                bitrate=options.bitrate,
                existing=existing,
                video=options.video,
                track=options.track - 1,
            )
            written.setdefault(str(recording.path), []).extend(targets)
            taken |= {resolved(target.path) for target in targets}
        except DplassError as error:
            failed[str(recording.path)] = error
        except OSError as error:
            failed[str(recording.path)] = path_error(error)
    if not written and failed:
        raise next(iter(failed.values()))
    return written, {path: str(error) for path, error in failed.items()}


def _places(
    options: SeparateOptions, recordings: Sequence[Recording]
) -> tuple[Sequence[Recording], Path, str, FileFormat | None]:
    """The recordings with the names of their outputs, the folder, the template of the names, and the format.

    InputError if ``--output`` names a file and there are several targets, or options exclude each other.
    """
    if options.overwrite and options.skip_existing:
        raise InputError("--overwrite and --skip-existing: exclude each other; give one of them")
    output, suffix = options.output, options.output.suffix.lower()
    if not options.video and suffix in SOUNDS and not output.is_dir():
        raise InputError(f"--output {output}: names a video; add --video, or name a folder or a file of sound")
    names_a_file = suffix.lstrip(".") in get_args(FileFormat) or (options.video and suffix in SOUNDS)
    if output.is_dir() or not names_a_file:
        check_template(options.name, [name for recording in recordings for name in named(recording.queries)][:1])
        return recordings, output, options.name, options.format
    if len(recordings) != 1 or len(recordings[0].queries) != 1 or options.residual:
        raise InputError(f"--output {output}: names one file, but there are several targets; name a folder")
    if options.format not in (None, suffix[1:]):
        raise InputError(f"--output {output}: is not a file of --format {options.format}; change one of them")
    if options.video and suffix != recordings[0].path.suffix.lower():
        raise InputError(f"--output {output}: the video stays {recordings[0].path.suffix}; use that suffix")
    format = None if options.video else cast(FileFormat, suffix[1:])
    return [replace(recordings[0], name=output.stem)], output.parent, "{stem}", format


def queries_of(recordings: Sequence[Recording]) -> list[Query]:
    """The distinct queries of all recordings."""
    return list(dict.fromkeys(query for recording in recordings for query in recording.queries))
