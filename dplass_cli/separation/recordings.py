"""What is to be separated: files, folders, patterns and lists, as recordings with their queries and outputs' names."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.audio.folders import audio_files
from dplass_cli.errors import InputError
from dplass_cli.separation.queries import Query
from dplass_cli.storage import read_text


@dataclass(frozen=True)
class Recording:
    """One recording to separate.

    Attributes:
        path: the file. queries: sentences, or other queries.
        name: of the outputs below the output folder; may hold folders.
    """

    path: Path
    queries: tuple[str | Query, ...]
    name: str


def find_recordings(inputs: Iterable[Path], list_file: Path | None, queries: Sequence[str | Query]) -> list[Recording]:
    """The recordings that are named, in their order, with names that no two share.

    Args:
        inputs: files; folders, whose audio files keep their places in sub-folders; patterns such as ``takes/*.wav``.
        list_file: lines ``path``, ``path<TAB>query`` or ``path<TAB>query<TAB>output name``; relative paths are below
            its folder. Lines of one path and name are one recording with several queries.
        queries: of recordings that have none of their own.

    Raises:
        InputError: nothing at a path or pattern, a folder without audio, or a malformed line.
    """
    found = [Recording(path, tuple(queries), name) for entry in inputs for path, name in _expand(entry)]
    if list_file is not None:
        found += _listed(list_file, queries)
    if not found:
        raise InputError("no input is given; name recordings, folders or a --list")
    return _distinct(found)


def _expand(entry: Path) -> list[tuple[Path, str]]:
    if entry.is_dir():
        return [(path, path.relative_to(entry).with_suffix("").as_posix()) for path in audio_files(entry)]
    if entry.exists() or not glob.has_magic(str(entry)):
        return [(entry, entry.stem)]  # reading it will say what is wrong
    matched = [Path(path) for path in sorted(glob.glob(str(entry), recursive=True))]  # noqa: PTH207 (absolute ones too)
    files = [path for path in matched if path.is_file()]
    if not files:
        raise InputError(f"{entry}: no file matches; check the pattern")
    return [(path, path.stem) for path in files]


def _listed(list_file: Path, queries: Sequence[str | Query]) -> list[Recording]:
    asked: dict[tuple[Path, str], list[str | Query]] = {}
    for number, line in enumerate(read_text(list_file).split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        path, *more = line.split("\t")
        if not path.strip() or len(more) > 2 or "\0" in line:
            raise InputError(f"{list_file}: line {number}: expected path<TAB>query<TAB>output name, not {line[:80]!r}")
        wav = list_file.parent / path
        query, name = (field.strip() for field in [*more, "", ""][:2])
        name = name or wav.stem
        if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).name:
            raise InputError(f"{list_file}: line {number}: the output name {name!r} leaves the output folder")
        asked.setdefault((wav, name), []).extend([query] if query else queries)
    return [Recording(path, tuple(dict.fromkeys(said)), name) for (path, name), said in asked.items()]


def _distinct(recordings: Iterable[Recording]) -> list[Recording]:
    """Give a number to names that occur again: two folders may hold a file of the same name."""
    taken: set[str] = set()
    distinct = []
    for item in recordings:
        name, count = item.name, 2
        while name.casefold() in taken:
            name, count = f"{item.name}_{count}", count + 1
        taken.add(name.casefold())
        distinct.append(Recording(item.path, item.queries, name))
    return distinct
