"""``prepare-audioset``: from AudioSet's segment lists and a folder of clips to a manifest."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from dplass_cli.data.audioset import (
    Check,
    ClipIndex,
    Segment,
    clip_fault,
    index_clips,
    listed_files,
    read_class_labels,
    read_ids,
    read_name_map,
    read_segments,
    walk_folders,
)
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.storage import Progress, make_folder, no_progress, write_rows

logger = logging.getLogger(__name__)

Captions = Literal["single", "each", "joined"]

REJECT_COLUMNS = ("ytid", "start", "end", "reason", "path")
CHECKED_AT_ONCE = 1024


@dataclass(frozen=True)
class PrepareOptions:
    """What to prepare.

    Attributes:
        segments: AudioSet segment lists, read in this order.
        labels: the class list (index, mid, display_name).
        audio_dir: folders with the clips, searched with their subfolders.
        output: the manifest to write; ``rejects.csv`` goes beside it.
        captions: "single" keeps clips with one label, "each" makes a row of each label, "joined" one of all labels.
        check: how much of each clip is tested: nothing, its header, or every sample.
        name_map: a CSV (YTID, filename) for clips with other names.
        ids: a text file with the YTIDs to keep, one a line.
        file_list: a text file with the clips' paths, one a line; it spares reading the folders.
        max_missing: the share of segments without a clip above which preparing stops.
    """

    segments: tuple[Path, ...]
    labels: Path
    audio_dir: tuple[Path, ...]
    output: Path
    captions: Captions = "single"
    check: Check = "header"
    name_map: Path | None = None
    ids: Path | None = None
    file_list: Path | None = None
    max_missing: float = 0.5


@dataclass(frozen=True)
class PrepareResult:
    """What was prepared.

    Attributes:
        manifest, rejects: the files written.
        segments: segments asked for (after ``ids``).
        used_clips: clips in the manifest.
        rows: rows in the manifest.
        rejected: segments left out, by reason.
        captions: rows by caption.
    """

    manifest: Path
    rejects: Path
    segments: int
    used_clips: int
    rows: int
    rejected: dict[str, int]
    captions: dict[str, int]


@dataclass(frozen=True)
class _Clip:
    """A segment with its file, the labels that have a name, and the reason to leave it out."""

    segment: Segment
    path: Path | None
    mids: tuple[str, ...]
    fault: str | None


def prepare_audioset(options: PrepareOptions, progress: Progress = no_progress) -> PrepareResult:
    """Write the manifest of the usable clips, in the order of the lists, and ``rejects.csv`` with the others.

    Raises:
        InputError: an option or input file is wrong, ``ids`` match no segment, too many clips are missing,
            or no clip is usable.
    """
    _require_valid(options)
    names = read_class_labels(options.labels)
    segments = _wanted_segments(options)
    index = _index(options)
    make_folder(options.output.parent)

    clips = list(_listed_clips(segments, index, names, options.captions))
    _require_present(clips, index, options)
    clips = list(_checked_clips(clips, options.check, progress))
    _require_present(clips, index, options)  # again, since a file list may name files that are gone

    used = [clip for clip in clips if clip.fault is None]
    rejected = Counter(clip.fault for clip in clips if clip.fault is not None)
    if not used:
        reasons = some(f"{reason}: {count}" for reason, count in rejected.most_common())
        raise InputError(f"no usable clip among {len(clips)} segments ({reasons}); {_advice(rejected)}")
    rows = [row for clip in used for row in _rows(clip, names, options.captions)]
    rejects = options.output.parent / "rejects.csv"
    write_rows(rejects, REJECT_COLUMNS, (_reject(clip) for clip in clips if clip.fault is not None))
    write_manifest(options.output, rows)
    captions = Counter(row.caption for row in rows)
    return PrepareResult(options.output, rejects, len(clips), len(used), len(rows), dict(rejected), dict(captions))


def _require_valid(options: PrepareOptions) -> None:
    for name, value, known in (
        ("captions", options.captions, get_args(Captions)),
        ("check", options.check, get_args(Check)),
    ):
        if value not in known:
            raise InputError(f"{name}: no such choice {value!r}{nearest(value, known)}")
    if not 0 <= options.max_missing <= 1:
        raise InputError(f"max_missing: expected a share between 0 and 1, not {options.max_missing}")
    if not options.segments:
        raise InputError("no segment list; give one with --segments")
    if not options.audio_dir and options.file_list is None:
        raise InputError("no clips; give their folder with --audio-dir or a list of paths with --file-list")
    if absent := [folder for folder in options.audio_dir if not folder.is_dir()]:
        raise InputError(f"{some(absent)}: no such folder; check --audio-dir")
    if options.output.is_dir():
        raise InputError(f"{options.output}: is a folder; expected the name of a file to write")


def _wanted_segments(options: PrepareOptions) -> list[Segment]:
    segments = [segment for path in options.segments for segment in read_segments(path)]
    if not segments:
        raise InputError(f"{some(options.segments)}: holds no segments; check --segments")
    if options.ids is None:
        return segments
    ids = read_ids(options.ids)
    wanted = [segment for segment in segments if segment.ytid in ids]
    if not wanted:
        raise InputError(
            f"{options.ids}: none of its {len(ids)} ids is in the segment lists; expected YTIDs such as "
            f"{segments[0].ytid!r}, one a line, not {min(ids)!r}"
        )
    if unknown := len(ids - {segment.ytid for segment in wanted}):
        logger.warning("%s: %d of %d ids are not in the segment lists", options.ids, unknown, len(ids))
    return wanted


def _index(options: PrepareOptions) -> ClipIndex:
    name_map = {} if options.name_map is None else read_name_map(options.name_map)
    if options.file_list is not None:
        return index_clips(listed_files(options.file_list, options.audio_dir), name_map)
    return index_clips(walk_folders(options.audio_dir), name_map)


def _listed_clips(
    segments: Sequence[Segment], index: ClipIndex, names: Mapping[str, str], captions: Captions
) -> Iterator[_Clip]:
    seen: set[str] = set()
    for segment in segments:
        path = index.find(segment)
        mids = tuple(mid for mid in dict.fromkeys(segment.mids) if mid in names)
        fault = "duplicate id" if segment.ytid in seen else _listed_fault(path, mids, captions)
        seen.add(segment.ytid)
        yield _Clip(segment, path, mids, fault)


def _listed_fault(path: Path | None, mids: Sequence[str], captions: Captions) -> str | None:
    if path is None:
        return "missing"
    if not mids:
        return "unknown label"
    return "several labels" if captions == "single" and len(mids) > 1 else None


def _checked_clips(clips: Sequence[_Clip], check: Check, progress: Progress) -> Iterator[_Clip]:
    """Open the clips that have no fault yet, some at a time."""

    def checked(clip: _Clip) -> _Clip:
        if clip.fault is not None or clip.path is None:
            return clip
        return replace(clip, fault=clip_fault(clip.path, check))

    with ThreadPoolExecutor() as pool:
        for first in range(0, len(clips), CHECKED_AT_ONCE):
            yield from pool.map(checked, clips[first : first + CHECKED_AT_ONCE])
            progress(min(first + CHECKED_AT_ONCE, len(clips)), len(clips), "checking clips")


def _require_present(clips: Sequence[_Clip], index: ClipIndex, options: PrepareOptions) -> None:
    missing = [clip.segment for clip in clips if clip.fault == "missing"]
    if len(missing) <= options.max_missing * len(clips):
        return
    names = some((index.name_looked_for(segment) for segment in missing), limit=3)
    places = some(options.audio_dir) if options.file_list is None else str(options.file_list)
    raise InputError(
        f"{len(missing)} of {len(clips)} clips are missing (looked for {names} in {places}; also with other suffixes, "
        "a leading Y, or start and end after the id); check --audio-dir, give other file names with --name-map, "
        "or allow more with --max-missing"
    )


def _advice(rejected: Mapping[str, int]) -> str:
    if "several labels" in rejected:
        return "try --captions each or joined"
    return "check --audio-dir, --labels and --name-map"


def _rows(clip: _Clip, names: Mapping[str, str], captions: Captions) -> Iterator[Row]:
    assert clip.path is not None
    groups = [(mid,) for mid in clip.mids] if captions == "each" else [clip.mids]
    for mids in groups:
        yield Row(clip.path, joined([names[mid] for mid in mids]), labels=mids, id=clip.segment.ytid)


def joined(names: Sequence[str]) -> str:
    """Join names as one does in a sentence: "A", "A and B", "A, B and C"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _reject(clip: _Clip) -> dict[str, object]:
    return {
        "ytid": clip.segment.ytid,
        "start": clip.segment.start,
        "end": clip.segment.end,
        "reason": clip.fault,
        "path": "" if clip.path is None else clip.path.absolute(),
    }
