"""Finding the files of clips: the folders are walked once, then each clip is looked up by id and time, or by name."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from dplass_cli.audio.folders import FFMPEG_SUFFIXES, SNDFILE_SUFFIXES, SUFFIXES, UNSUPPORTED
from dplass_cli.errors import InputError
from dplass_cli.file_names import with_slashes
from dplass_cli.storage import require_file

_MAX_LOOKUPS = 16  # files of a listed folder that are looked up before the first place is assumed


class ClipIndex:
    """An index of audio files by the ids and names of clips.

    Paths are strings, because two million ``Path`` objects take several times as long.

    Args:
        files: paths, from :func:`~dplass_cli.audio.folders.walk_folders` or :func:`listed_files`. Of two with the same
            stem the first is kept; audio formats take precedence over videos, and all over unsupported ones.
        names: the names that :meth:`by_name` will be asked for.
        pattern: how files are named after their clips, where not as usual: a Python format of ``id``, ``start``,
            ``end`` (seconds), ``start_ms`` and ``end_ms``, such as ``{id}/{start:06.0f}``. A suffix is not needed.
        name_map: {clip id: file name}, which :meth:`by_id` tries first.

    Raises:
        InputError: the pattern is not such a format.
    """

    def __init__(
        self,
        files: Iterable[str],
        names: Iterable[str] = (),
        pattern: str = "",
        name_map: Mapping[str, str] | None = None,
    ) -> None:
        self._pattern = _checked_pattern(pattern)
        self._name_map = name_map or {}
        self._by_stem: dict[str, str] = {}
        self._by_pattern = {} if "/" in self._pattern else self._by_stem
        self._by_name: dict[str, str] = {}
        self._more: dict[str, list[str]] = {}  # further files of the same name
        listed = {*names, *self._name_map.values()}
        bare = Counter(os.path.basename(name) for name in listed)  # noqa: PTH119
        self._unique = {name for name, count in bare.items() if count == 1}
        wanted = {key for name in (*listed, *self._unique) for key in _keys(name)}
        depths = {key.count("/") for key in wanted}
        others: list[str] = []
        for path in files:
            suffix = path[path.rfind(".") + 1 :]
            if suffix in _PREFERRED or suffix.lower() in _PREFERRED:
                self._add(path)
            elif suffix.lower() in _OTHERS:
                others.append(path)
            for depth in depths:
                for key in _keys(_tail(path, depth)):
                    if key in wanted and self._by_name.setdefault(key, path) != path:
                        self._more.setdefault(key, []).append(path)
        for path in others:
            self._add(path)
        self._lengths = set(map(len, self._by_stem))
        self._suffixes: dict[tuple[float, float, int], tuple[str, ...]] = {}

    def _add(self, path: str) -> None:
        stem = path[: path.rfind(".")]
        self._by_stem.setdefault(stem[stem.rfind("/") + 1 :], path)
        if self._by_pattern is not self._by_stem:
            self._by_pattern.setdefault(_tail(stem, self._pattern.count("/")), path)

    def by_id(self, id: str, start: float, end: float) -> str | None:
        """Return the file of a clip, by the name map, the pattern, or the first match of the names downloaders give.

        These are ``{id}_{start}_{end}`` and ``{id}_{start}``, in seconds or milliseconds, with or without leading
        zeros, then ``{id}``; each also with a leading ``Y``.
        """
        if id in self._name_map:
            path = self.by_name(self._name_map[id])
            if path is not None:
                return path
        if self._pattern:
            path = self._by_pattern.get(_fill(self._pattern, id, start, end))
            if path is not None:
                return path
        by_stem = self._by_stem
        for times in self._possible(start, end, len(id)):
            path = by_stem.get(id + times) or by_stem.get(f"Y{id}{times}")
            if path is not None:
                return path
        return None

    def _possible(self, start: float, end: float, length: int) -> tuple[str, ...]:
        """Return the time suffixes that some file may have after an id of this length; usually none or one."""
        known = self._suffixes.get((start, end, length))
        if known is None:
            known = tuple(
                times
                for times in _time_suffixes(start, end)
                if not self._lengths.isdisjoint((length + len(times), length + len(times) + 1))
            )
            self._suffixes[start, end, length] = known
        return known

    def by_name(self, name: str, near: str = "") -> str | None:
        """Return the file whose path ends with this name, exactly or apart from blanks and the suffix.

        A name whose folders do not exist here is found by its last part, if no other name ends with that. Of several
        files, the one below a folder whose name begins with ``near`` is returned, else the first.
        """
        last = os.path.basename(name)  # noqa: PTH119
        keys = (*_keys(name), *(_keys(last) if last in self._unique else ()))
        found = next((key for key in keys if key in self._by_name), None)
        if found is None:
            return None
        files: list[str] = [self._by_name[found], *self._more.get(found, [])]
        return next((file for file in files if near and f"/{near}" in file), files[0])


_PREFERRED = {suffix[1:] for suffix in SNDFILE_SUFFIXES}
_OTHERS = {suffix[1:] for suffix in (*FFMPEG_SUFFIXES, *UNSUPPORTED)}
"""Slower formats, and unsupported ones, which are found so that the rejects say so instead of "missing"."""


def _tail(path: str, depth: int) -> str:
    """Return the last ``depth`` + 1 parts of a path."""
    return path[path.rfind("/") + 1 :] if depth == 0 else "/".join(path.split("/")[-depth - 1 :])


def _keys(name: str) -> Iterator[str]:
    """Yield a name, the name with normalised blanks and Unicode, and that without an audio suffix."""
    yield name
    tidy = _tidy(name)
    yield tidy
    stem, suffix = os.path.splitext(tidy)  # noqa: PTH122
    yield stem if suffix.lower() in SUFFIXES else tidy


def _tidy(name: str) -> str:
    parts = (" ".join(part.split()) for part in unicodedata.normalize("NFC", name).split("/"))
    tidied = "/".join(part for part in parts if part not in ("", "."))
    stem, suffix = os.path.splitext(tidied)  # noqa: PTH122
    return stem.rstrip() + suffix


def _checked_pattern(pattern: str) -> str:
    stem, suffix = os.path.splitext(pattern)  # noqa: PTH122
    pattern = stem if suffix.lower() in SUFFIXES else pattern
    try:
        filled = {_fill(pattern, id, 30.0, 40.0) for id in ("-0RWZT-miFs", "5-0RWZTmiFs")} if pattern else set()
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        known = "{id}, {start}, {end}, {start_ms} and {end_ms}"
        raise InputError(f"--name-pattern {pattern!r}: {error}; patterns consist of {known}") from error
    if len(filled) == 1:
        raise InputError(f"--name-pattern {pattern!r}: gives all clips the same name; include {{id}}")
    return pattern


def _fill(pattern: str, id: str, start: float, end: float) -> str:
    return pattern.format(id=id, start=start, end=end, start_ms=round(start * 1000), end_ms=round(end * 1000))


@lru_cache(maxsize=1 << 16)
def _time_suffixes(start: float, end: float) -> tuple[str, ...]:
    """Return what downloaders append to the id of a video, the most specific first."""
    spans = list(zip(_spellings(start), _spellings(end), strict=True))
    return tuple(dict.fromkeys([*(f"_{a}_{b}" for a, b in spans), *(f"_{a}" for a, _ in spans), ""]))


def _spellings(seconds: float) -> tuple[str, ...]:
    return f"{seconds:.3f}", f"{round(seconds * 1000)}", f"{int(seconds)}", f"{seconds:.1f}", f"{int(seconds):06d}"


def listed_files(file_list: Path | str, folders: Iterable[Path | str] = ()) -> Iterator[str]:
    """Yield the absolute paths of a text file with one path per line.

    Relative paths are relative to one of the folders, the list's folder or the working folder. All paths in one listed
    folder are relative to the first of these in which one of them exists.

    Raises:
        InputError: the list is missing or cannot be read.
    """
    places = [with_slashes(os.path.abspath(place)) for place in (*folders, Path(file_list).parent, Path())]
    found: dict[str, str] = {}
    tries: Counter[str] = Counter()
    for line in _lines(file_list):
        line = with_slashes(line)
        if os.path.isabs(line):  # noqa: PTH117 (a list may have millions of lines)
            yield line
            continue
        folder = os.path.dirname(line)  # noqa: PTH120
        if folder not in found and tries[folder] < _MAX_LOOKUPS:
            tries[folder] += 1
            if (place := next((place for place in places if _is_file(f"{place}/{line}")), None)) is not None:
                found[folder] = place
        yield f"{found.get(folder, places[0])}/{line}"


def _lines(path: Path | str) -> Iterator[str]:
    require_file(path)
    try:
        # Names need not be UTF-8; such bytes pass through, as they do when a folder is walked.
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
            yield from filter(str.strip, (line.rstrip("\r\n") for line in stream))
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def _is_file(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises for folders without permission)
