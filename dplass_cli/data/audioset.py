"""The official AudioSet lists, and the folders in which people keep the clips they name."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from dplass_cli.audio.files import audio_info
from dplass_cli.errors import InputError
from dplass_cli.storage import read_text, require_file

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
BLOCK = 1 << 18  # samples that are decoded at a time, so that memory does not grow with the length of a file

Check = Literal["none", "header", "decode"]


@dataclass(frozen=True)
class Segment:
    """One line of a segment list: ``start`` and ``end`` in seconds of the video, the machine ids of what sounds."""

    ytid: str
    start: float
    end: float
    mids: tuple[str, ...]


def read_class_labels(path: Path | str) -> dict[str, str]:
    """Read the class list (columns index, mid, display_name) as machine id -> display name.

    Raises:
        InputError: missing, not CSV, without these columns, or a line that is malformed or repeats a machine id.
    """
    return _read_pairs(path, "mid", "display_name")


def read_name_map(path: Path | str) -> dict[str, str]:
    """Read a list of file names (columns YTID, filename) as YTID -> file name.

    Raises:
        InputError: missing, not CSV, without these columns, or a line that is malformed or repeats a YTID.
    """
    return _read_pairs(path, "YTID", "filename")


def read_segments(path: Path | str) -> list[Segment]:
    """Read an official segment list: ``#`` comments, then ``YTID, start_seconds, end_seconds, "mid,mid"`` lines.

    Raises:
        InputError: missing, not CSV, or a malformed line (with its number).
    """
    return [_segment(fields, path, line) for line, fields in _lines(path)]


def read_ids(path: Path | str) -> set[str]:
    """Read a text file with one YTID a line; blank lines do not count.

    Raises:
        InputError: missing, not text, or without any id.
    """
    ids = set(filter(None, map(str.strip, read_text(path).split("\n"))))
    if not ids:
        raise InputError(f"{path}: holds no ids; expected one YTID a line")
    return ids


def _segment(fields: Sequence[str], path: Path | str, line: int) -> Segment:
    try:
        ytid, start, end, mids = fields
        segment = Segment(ytid.strip(), float(start), float(end), _split_mids(mids))
    except ValueError as error:
        raise _malformed_segment(fields, path, line) from error
    if not (segment.ytid and segment.mids and 0 <= segment.start < segment.end < float("inf")):
        raise _malformed_segment(fields, path, line)
    return segment


def _malformed_segment(fields: Sequence[str], path: Path | str, line: int) -> InputError:
    expected = 'YTID, start_seconds, end_seconds, "mid,mid" with 0 <= start < end'
    return InputError(f"{path}: line {line}: expected {expected}, not {', '.join(fields)[:100]!r}")


@lru_cache(maxsize=1 << 16)
def _split_mids(text: str) -> tuple[str, ...]:
    return tuple(mid.strip() for mid in text.split(",") if mid.strip())


def _read_pairs(path: Path | str, key: str, value: str) -> dict[str, str]:
    lines = _lines(path)
    _, header = next(lines, (0, []))
    columns = [name.strip().lower() for name in header]
    if key.lower() not in columns or value.lower() not in columns:
        raise InputError(f"{path}: expected a header with the columns {key} and {value}, not {','.join(header)!r}")
    key_at, value_at = columns.index(key.lower()), columns.index(value.lower())
    pairs: dict[str, str] = {}
    for line, fields in lines:
        if len(fields) != len(columns):
            raise InputError(f"{path}: line {line}: expected {len(columns)} fields, not {len(fields)}; quote commas")
        name, text = fields[key_at].strip(), fields[value_at].strip()
        if not name or not text:
            raise InputError(f"{path}: line {line}: {key} or {value} is empty")
        if name in pairs:
            raise InputError(f"{path}: line {line}: {key} {name!r} is listed twice; keep one of the lines")
        pairs[name] = text
    return pairs


def _lines(path: Path | str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is neither blank nor a comment, with the line's number."""
    require_file(path)
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(map(_without_comment, stream), skipinitialspace=True)
            for line, fields in enumerate(reader, start=1):
                if reader.line_num != line:
                    raise InputError(f"{path}: line {line}: a quote opens and does not close on the line")
                if fields:
                    yield line, fields
    except csv.Error as error:
        raise InputError(f"{path}: line {line + 1}: not CSV ({error})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def _without_comment(line: str) -> str:
    return "\n" if line.isspace() or line.lstrip().startswith("#") else line


@dataclass(frozen=True)
class ClipIndex:
    """Where the clips are: paths by file name and by stem, and the file names of segments that the user mapped."""

    by_name: Mapping[str, str]
    by_stem: Mapping[str, str]
    name_map: Mapping[str, str]

    def find(self, segment: Segment) -> Path | None:
        """Return the clip of a segment: under its mapped name, else under the first of :func:`clip_stems`."""
        path = self.by_name.get(self._mapped_name(segment))
        if path is None:
            path = next((self.by_stem[stem] for stem in clip_stems(segment) if stem in self.by_stem), None)
        return None if path is None else Path(path)

    def name_looked_for(self, segment: Segment) -> str:
        """The file name to show to someone whose clip was not found."""
        return self._mapped_name(segment) or f"{segment.ytid}{SUFFIXES[0]}"

    def _mapped_name(self, segment: Segment) -> str:
        return Path(self.name_map.get(segment.ytid, "")).name


def index_clips(files: Iterable[str], name_map: Mapping[str, str] | None = None) -> ClipIndex:
    """Index paths by name and stem; of two files with the same one, the first is kept.

    Paths are strings here and in :func:`walk_folders`: two million of them as ``Path`` take several times as long.
    """
    by_name: dict[str, str] = {}
    by_stem: dict[str, str] = {}
    for path in files:
        name = os.path.basename(path)  # noqa: PTH119
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        by_name.setdefault(name, path)
        if suffix.lower() in SUFFIXES:
            by_stem.setdefault(stem, path)
    return ClipIndex(by_name, by_stem, name_map or {})


def clip_stems(segment: Segment) -> Iterator[str]:
    """The stems that downloaders give to a segment's clip, the most telling first.

    ``{id}_{start}_{end}`` and ``{id}_{start}``, in seconds or milliseconds, then ``{id}``; each also after a ``Y``.
    """
    for times in _time_suffixes(segment.start, segment.end):
        yield f"{segment.ytid}{times}"
        yield f"Y{segment.ytid}{times}"


@lru_cache(maxsize=1 << 16)
def _time_suffixes(start: float, end: float) -> tuple[str, ...]:
    spans = list(zip(_spellings(start), _spellings(end), strict=True))
    return tuple(dict.fromkeys([*(f"_{a}_{b}" for a, b in spans), *(f"_{a}" for a, _ in spans), ""]))


def _spellings(seconds: float) -> tuple[str, ...]:
    return f"{seconds:.3f}", f"{round(seconds * 1000)}", f"{int(seconds)}", f"{seconds:.1f}"


def walk_folders(folders: Iterable[Path | str]) -> Iterator[str]:
    """Yield the files under the folders, sorted within each; links are followed, each folder is read once.

    Raises:
        InputError: a folder is missing or cannot be read.
    """
    seen: set[str] = set()
    for top in folders:
        for folder, subfolders, names in os.walk(top, followlinks=True, onerror=_unreadable_folder):
            place = os.path.realpath(folder)
            if place in seen:  # given twice, or a link that leads back
                subfolders.clear()
                continue
            seen.add(place)
            subfolders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names))  # noqa: PTH118


def _unreadable_folder(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot read this folder ({error.strerror}); check the path") from error


def listed_files(file_list: Path | str, folders: Iterable[Path | str] = ()) -> Iterator[str]:
    """Yield the paths of a text file, one a line.

    A relative path is taken from the first of the folders, the list's folder and the working folder that has it.

    Raises:
        InputError: the list is missing or not text.
    """
    places = [*map(Path, folders), Path(file_list).parent, Path()]
    for line in filter(None, map(str.strip, read_text(file_list).split("\n"))):
        if Path(line).is_absolute():
            yield line
        else:
            paths = [place / line for place in places]
            yield str(next(filter(_is_file, paths), paths[0]))


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises where a folder may not be entered)


def clip_fault(path: Path, check: Check) -> str | None:
    """Say what is wrong with a clip, or None.

    ``header`` finds "missing", "zero-length file" (also a header without samples) and "not audio"; ``decode`` reads
    everything, and finds "truncated" (fewer samples than the header promises) and "silent" (all zero) as well.
    """
    if check == "none":
        return None
    if not _is_file(path):
        return "missing"
    try:
        info = audio_info(path)
    except InputError as error:
        return "not audio" if isinstance(error.__cause__, soundfile.LibsndfileError) else "zero-length file"
    return _samples_fault(path, info.frames) if check == "decode" else None


def _samples_fault(path: Path, frames: int) -> str | None:
    decoded, silent = 0, True
    try:
        with soundfile.SoundFile(str(path)) as stream:
            while len(block := stream.read(BLOCK, dtype="float32")):
                if not np.isfinite(block).all():
                    return "not audio"
                decoded += len(block)
                silent = silent and not block.any()
    except soundfile.LibsndfileError:  # the decoder gave up after a good header
        return "truncated"
    if decoded < frames:
        return "truncated"
    return "silent" if silent else None
