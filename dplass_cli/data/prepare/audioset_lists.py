"""The official AudioSet lists: segments with weak or strong labels, and class names.

Sources: https://research.google.com/audioset/download.html (``*_segments.csv``, ``class_labels_indices.csv``) and
https://research.google.com/audioset/download_strong.html (``audioset_*_strong.tsv``, ``mid_to_display_name.tsv``).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from dplass_cli.data.csv_tables import MAX_SECONDS, collector_paused, table_lines
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.data.prepare.corpus_tables import read_pairs
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.storage import Progress, no_progress, read_text

_log = logging.getLogger(__name__)

STRONG_SECONDS = 10.0  # strongly labelled clips last ten seconds and are named {ytid}_{start in milliseconds}


class Segment(NamedTuple):
    """One clip of a list.

    Attributes:
        ytid: the video.
        start: seconds in the video.
        end: seconds in the video.
        mids: machine ids of its classes.
    """

    ytid: str
    start: float
    end: float
    mids: tuple[str, ...]


def read_class_labels(path: Path | str) -> dict[str, str]:
    """Read class names as {machine id: display name}.

    Args:
        path: ``class_labels_indices.csv`` (columns index, mid, display_name), or the strong labels'
            ``mid_to_display_name.tsv``.

    Raises:
        InputError: missing or not such a file, or a line is malformed or repeats a machine id.
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


def check_labels(labels: Iterable[str], names: Mapping[str, str], path: Path | str) -> None:
    """Raise an InputError for a label that is neither a class name nor a machine id of ``path``, in any case."""
    known = {name.casefold() for pair in names.items() for name in pair}
    for label in labels:
        if label.casefold() not in known:
            raise InputError(f"--exclude-label {label!r}: not in {path}{nearest(label, names.values())}")


def read_segments(path: Path | str) -> list[Segment]:
    """Read a list of segments as AudioSet publishes it: weak labels (``.csv``) or strong ones (``.tsv``).

    CSV: ``#`` comments, then lines ``YTID, start_seconds, end_seconds, "mid,mid"``. TSV: one sound event per line,
    ``ytid_milliseconds, start, end, mid``; the events of a clip become one segment, with the labels in the order of
    their first onset.

    Raises:
        InputError: missing or not such a file, or a malformed line (with its number).
    """
    if Path(path).suffix.lower() == ".tsv":
        return _read_strong(path)
    return [_segment(fields, path, line) for line, fields in table_lines(path)]


@collector_paused()
def read_segment_lists(
    paths: Sequence[Path], ids: Path | None = None, progress: Progress = no_progress
) -> list[Segment]:
    """Read several lists, and keep the segments whose YTID is a line of the text file ``ids``, if there is one.

    Raises:
        InputError: a list cannot be read, there are no segments, or none has one of the ids.
    """
    segments: list[Segment] = []
    for done, path in enumerate(paths):
        progress(done, len(paths), "reading segment lists")
        segments += read_segments(path)
    if not segments:
        raise InputError(f"{some(paths)}: no segments in it; check --segments")
    if ids is None:
        return segments
    ytids = read_ids(ids)
    wanted = [segment for segment in segments if segment.ytid in ytids]
    if not wanted:
        raise InputError(
            f"{ids}: none of its {len(ytids)} ids is in the segment lists; expected YTIDs such as "
            f"{segments[0].ytid!r}, one per line, not {min(ytids)!r}"
        )
    if unknown := len(ytids - {segment.ytid for segment in wanted}):
        _log.warning("%s: %d of %d ids are not in the segment lists", ids, unknown, len(ytids))
    return wanted


def segment_records(segments: Sequence[Segment]) -> pd.DataFrame:
    """Return segments as the records of the corpus ``audioset``."""
    # Column by column: a frame made of rows needs three times the memory.
    names = enumerate(CORPORA["audioset"].columns)
    return pd.DataFrame({name: [segment[at] for segment in segments] for at, name in names})


def read_ids(path: Path | str) -> set[str]:
    """Read a text file with one YTID per line; blank lines are ignored.

    Raises:
        InputError: missing, not text, or without any id.
    """
    ids = set(filter(None, map(str.strip, read_text(path).split("\n"))))
    if not ids:
        raise InputError(f"{path}: no ids in it; expected one YTID per line")
    return ids


def _segment(fields: Sequence[str], path: Path | str, line: int) -> Segment:
    try:
        ytid, start, end, mids = fields
        segment = Segment(ytid.strip(), _seconds(start), _seconds(end), _split_mids(mids))
        if not (segment.ytid and segment.mids and 0 <= segment.start < segment.end < MAX_SECONDS):
            raise ValueError
    except ValueError as error:
        expected = 'YTID, start_seconds, end_seconds, "mid,mid" with 0 <= start < end'
        raise InputError(f"{path}: line {line}: expected {expected}, not {', '.join(fields)[:100]!r}") from error
    return segment


# Times and label sets repeat millions of times; caching them saves both time and memory.
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
            within = 0 <= begin < float(offset) < MAX_SECONDS and 0 <= start < MAX_SECONDS
            if not (ytid and underscore and mid and within):
                raise ValueError
        except (ValueError, OverflowError) as error:
            expected = "ytid_milliseconds, start_seconds, end_seconds and a machine id, separated by tabs"
            raise InputError(f"{path}: line {line}: expected {expected}, not {fields!r:.100}") from error
        events.setdefault((ytid, start), []).append((begin, sys.intern(mid)))
    return [
        Segment(ytid, start, start + STRONG_SECONDS, tuple(dict.fromkeys(mid for _, mid in sorted(found))))
        for (ytid, start), found in events.items()
    ]
