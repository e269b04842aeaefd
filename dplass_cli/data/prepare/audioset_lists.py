"""The official AudioSet lists: segments with weak or strong labels, and class names.

Sources: https://research.google.com/audioset/download.html (``*_segments.csv``, ``class_labels_indices.csv``) and
https://research.google.com/audioset/download_strong.html (``audioset_*_strong.tsv``, ``mid_to_display_name.tsv``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dplass_cli.data.csv_tables import LATEST, read_pairs, table_lines
from dplass_cli.errors import InputError
from dplass_cli.storage import read_text

STRONG_SECONDS = 10.0  # strong labels are of clips of ten seconds, named {ytid}_{start in milliseconds}


class Segment(NamedTuple):
    """One clip of a list: ``start`` and ``end`` in seconds of the video, the machine ids of what sounds."""

    ytid: str
    start: float
    end: float
    mids: tuple[str, ...]


def read_class_labels(path: Path | str) -> dict[str, str]:
    """Read class names as machine id -> display name.

    ``class_labels_indices.csv`` (columns index, mid, display_name), or the strong labels' ``mid_to_display_name.tsv``.

    Raises:
        InputError: missing, not such a file, or a line that is malformed or repeats a machine id.
    """
    if Path(path).suffix.lower() != ".tsv":
        return read_pairs(path, ("mid",), ("display_name",))
    names: dict[str, str] = {}
    for line, fields in table_lines(path, "\t"):
        mid, *name = (field.strip() for field in fields)
        if len(name) != 1 or not mid or not name[0]:
            raise InputError(f"{path}: line {line}: expected a machine id, a tab and a name")
        if names.setdefault(mid, name[0]) != name[0]:
            raise InputError(f"{path}: line {line}: mid {mid!r} is listed twice; keep one of the lines")
    return names


def read_segments(path: Path | str) -> list[Segment]:
    """Read a list of segments: weak labels (``.csv``) or strong ones (``.tsv``), as AudioSet publishes them.

    CSV: ``#`` comments, then ``YTID, start_seconds, end_seconds, "mid,mid"`` lines. TSV: a line a sound event,
    ``ytid_milliseconds, start, end, mid``; a clip's events become one segment with the labels in the order in which
    they are first heard.

    Raises:
        InputError: missing, not such a file, or a malformed line (with its number).
    """
    if Path(path).suffix.lower() == ".tsv":
        return _read_strong(path)
    return [_segment(fields, path, line) for line, fields in table_lines(path)]


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
        segment = Segment(ytid.strip(), _seconds(start), _seconds(end), _split_mids(mids))
    except ValueError as error:
        raise _malformed_segment(fields, path, line) from error
    if not (segment.ytid and segment.mids and 0 <= segment.start < segment.end < LATEST):
        raise _malformed_segment(fields, path, line)
    return segment


def _malformed_segment(fields: Sequence[str], path: Path | str, line: int) -> InputError:
    expected = 'YTID, start_seconds, end_seconds, "mid,mid" with 0 <= start < end'
    return InputError(f"{path}: line {line}: expected {expected}, not {', '.join(fields)[:100]!r}")


# Times and label sets repeat millions of times: kept once, they take neither time nor memory again.
_seconds = lru_cache(maxsize=1 << 16)(float)


@lru_cache(maxsize=1 << 18)
def _split_mids(text: str) -> tuple[str, ...]:
    return tuple(sys.intern(mid.strip()) for mid in text.split(",") if mid.strip())


def _read_strong(path: Path | str) -> list[Segment]:
    events: dict[tuple[str, float], list[tuple[float, str]]] = {}
    for line, fields in table_lines(path, "\t"):
        if line == 1 and fields[0].strip().lower() == "segment_id":
            continue
        try:
            clip, onset, offset, mid = (field.strip() for field in fields)
            ytid, underscore, milliseconds = clip.rpartition("_")
            begin, start = float(onset), int(milliseconds) / 1000
            if not (ytid and underscore and mid and 0 <= begin < float(offset) < LATEST and 0 <= start < LATEST):
                raise ValueError
        except (ValueError, OverflowError) as error:
            expected = "ytid_milliseconds, start_seconds, end_seconds and a machine id, with tabs between"
            raise InputError(f"{path}: line {line}: expected {expected}, not {fields!r:.100}") from error
        events.setdefault((ytid, start), []).append((begin, sys.intern(mid)))
    return [
        Segment(ytid, start, start + STRONG_SECONDS, tuple(dict.fromkeys(mid for _, mid in sorted(heard))))
        for (ytid, start), heard in events.items()
    ]
