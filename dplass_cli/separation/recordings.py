"""The recordings to separate: files, folders, patterns and lists, each with its queries and the name of its outputs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.audio.folders import audio_files
from dplass_cli.errors import InputError
from dplass_cli.separation.queries import Query
from dplass_cli.storage import read_text


@dataclass(frozen=True)
class Recording:
    """A recording to separate.

    Attributes:
        path: the audio file.
        queries: sentences, or other queries.
        name: common stem of the outputs, relative to the output folder; may contain folders.
    """

    path: Path
    queries: tuple[str | Query, ...]
    name: str


def find_recordings(inputs: Iterable[Path], list_file: Path | None, queries: Sequence[str | Query]) -> list[Recording]:
    """The recordings that inputs and a list name, in their order; no two have the same output name.

    Args:
        inputs: files; folders, whose audio files keep their places in sub-folders; patterns such as ``takes/*.wav``.
        list_file: lines ``path``, ``path<TAB>query`` or ``path<TAB>query<TAB>output name``. Relative paths are relative
            to its folder. Lines with the same path and output name are one recording with several queries.
        queries: for recordings that have none of their own.

    Raises:
        InputError: there are no recordings, a pattern matches no file, a folder contains no audio, or a line of the
            list is malformed or leaves a recording without a query.
    """
    recordings = [Recording(path, tuple(queries), name) for entry in inputs for path, name in _expand(entry)]
    if list_file is not None:
        recordings += _read_list(list_file, queries)
    if not recordings:
        raise InputError("no input is given; name recordings, folders or a --list")
    return _with_distinct_names(recordings)


def _expand(entry: Path) -> list[tuple[Path, str]]:
    """The files of an input, each with its output name."""
    if entry.is_dir():
        return [(path, path.relative_to(entry).with_suffix("").as_posix()) for path in audio_files(entry)]
    # A file whose name looks like a pattern is that file; for a missing file, reading it gives the better message.
    if entry.exists() or not glob.has_magic(str(entry)):
        return [(entry, entry.stem)]
    matches = [Path(path) for path in sorted(glob.glob(str(entry), recursive=True))]  # noqa: PTH207 (takes absolute patterns)
    files = [path for path in matches if path.is_file()]
    if not files:
        raise InputError(f"{entry}: no file matches; check the pattern")
    return [(path, path.stem) for path in files]


def _read_list(list_file: Path, queries: Sequence[str | Query]) -> list[Recording]:
    queries_by_output: dict[tuple[Path, str], list[str | Query]] = {}
    for number, line in enumerate(read_text(list_file).split("\n"), start=1):
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
        wav = list_file.parent / path
        query, name = (field.strip() for field in [*fields, "", ""][:2])
        name = name or wav.stem
        if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).name:
            raise InputError(
                f"{list_file}: line {number}: the output name {name!r} leaves the output folder; use a relative name"
            )
        if not query and not queries:
            raise InputError(f"{list_file}: line {number}: no query; expected path<TAB>query, or give --query for all")
        queries_by_output.setdefault((wav, name), []).extend([query] if query else queries)
    return [Recording(path, tuple(dict.fromkeys(own)), name) for (path, name), own in queries_by_output.items()]


def _query_after(line: str, folder: Path) -> str:
    """What follows the name of an existing file and a blank in a line of a list; empty if there is no such file."""
    if os.path.exists(folder / line):  # noqa: PTH110 (Path.exists raises for names that no file can have)
        return ""
    ends = (blank for blank in re.finditer(r"\s+", line) if os.path.isfile(folder / line[: blank.start()]))  # noqa: PTH113
    return next((line[blank.end() :] for blank in ends), "")


def _with_distinct_names(recordings: Iterable[Recording]) -> list[Recording]:
    """Append a number to repeated output names: two folders may contain files of the same name."""
    taken: set[str] = set()
    distinct = []
    for recording in recordings:
        name, count = recording.name, 2
        while name.casefold() in taken:  # some file systems ignore case
            name, count = f"{recording.name}_{count}", count + 1
        taken.add(name.casefold())
        distinct.append(Recording(recording.path, recording.queries, name))
    return distinct
