"""Checking clips, by their headers or by decoding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dplass_cli.audio.reading import LARGEST_SAMPLE, open_audio
from dplass_cli.audio.source import Audio, AudioSource, DamagedAudio, EmptyAudio, NotAudio, Note, UnsupportedAudio
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.data.prepare.finding_records import FindingRecords
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import Check, ClipLimits
from dplass_cli.shards.addresses import shard_of

BLOCK = 1 << 18  # samples decoded at a time, so that memory does not grow with the length of a file
FULL_SCALE = 0.999
_BATCH = 1024  # clips that are checked in parallel
TOLERANCE = 0.1  # seconds that a range may end after its file: tables and lossy formats round


class Finding(NamedTuple):
    """Result of a check.

    Attributes:
        fault: why the clip cannot be used; None if it can.
        seconds: its length.
        sample_rate: Hz; 0 without a readable header.
        channels: number of channels; 0 without a readable header.
        note: how the file's header and content differ.
    """

    fault: str | None = None
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    note: Note = ""


_FAULTS: dict[type[InputError], str] = {
    UnsupportedAudio: "not decodable here",
    NotAudio: "not audio",
    EmptyAudio: "zero-length file",
    DamagedAudio: "truncated",
}


def check_clip(
    path: Path | str, check: Check, limits: ClipLimits | None = None, start: float = 0.0, end: float | None = None
) -> Finding:
    """Check a clip: a file, or a range of it.

    ``header`` finds the faults "missing", "broken link" (to nothing, or to itself), "unreadable" (permissions),
    "zero-length file" (also a header without samples), "not decodable here", "not audio", "range beyond the end", "too
    short" and "low sample rate". ``decode`` reads the whole clip and also finds "truncated" (fewer samples than the
    header of a FLAC or MP3 says), "not finite" (NaN or infinite samples), "out of range" (samples above 1,000,000),
    "silent" and "clipped".

    Args:
        path: the file.
        check: how much to check.
        limits: what the clip must have.
        start: seconds in the file.
        end: seconds in the file; None for its end.
    """
    if check == "none":
        return Finding()
    limits = limits or ClipLimits()
    path = Path(path)
    try:
        if shard_of(path) is None and not path.is_file():
            return Finding("broken link" if path.is_symlink() else "missing")
        source = open_audio(path)
    except InputError as error:
        return Finding(_FAULTS.get(type(error), "unreadable"))
    except OSError:
        return Finding("unreadable")
    info = source.info
    first, last, fault = _range(info.frames, info.sample_rate, limits, start, end)
    if fault is None and check == "decode":
        fault = _samples_fault(_blocks(source, first, last), last - first, limits)
    return Finding(fault, (last - first) / info.sample_rate, info.sample_rate, info.channels, info.note)


def _range(frames: int, rate: int, limits: ClipLimits, start: float, end: float | None) -> tuple[int, int, str | None]:
    """The first frame of a range, the one after its last, and what is wrong with it."""
    first, last = round(min(frames, start * rate)), frames if end is None else round(min(frames, end * rate))
    if first >= frames or (end is not None and end > frames / rate + TOLERANCE):
        return first, last, "range beyond the end"
    if last <= first or (last - first) / rate < limits.min_seconds:
        return first, last, "too short"
    return first, last, "low sample rate" if rate < limits.min_rate else None


def _blocks(source: AudioSource, first: int, last: int) -> Iterator[Audio]:
    with source.open(first) as read:
        while (block := read(min(BLOCK, last - first))).size:
            first += block.shape[1]
            yield block


def _samples_fault(blocks: Iterable[Audio], frames: int, limits: ClipLimits) -> str | None:
    decoded, samples, high, low, peak = 0, 0, 0, 0, 0.0
    try:
        for block in blocks:
            if not np.isfinite(block).all():
                return "not finite"
            if np.abs(block).max(initial=0.0) > LARGEST_SAMPLE:
                return "out of range"
            decoded += block.shape[1]
            samples += block.size
            high += int((block >= FULL_SCALE).sum())
            low += int((block <= -FULL_SCALE).sum())
            peak = max(peak, float(block.max()), -float(block.min()))
    except DamagedAudio:  # the decoder failed after a good header
        return "truncated"
    if decoded < frames:
        return "truncated"
    if peak < 10 ** (limits.min_peak_db / 20):
        return "silent"
    return "clipped" if 2 * min(high, low) > limits.max_clipped * samples else None


def check_clips(
    clips: Iterable[SourceRange], check: Check, limits: ClipLimits, records: FindingRecords | None = None
) -> Iterator[Finding]:
    """Check files, or ranges of them, in threads, and yield the findings in the same order.

    Threads help because the disk and the decoder, which take the time, run outside Python's lock. Findings in
    ``records`` are used, and new ones added to them.
    """
    clips = iter(clips)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(clips, _BATCH)):
            known = [None] * len(some) if records is None else list(pool.map(records.get, some))
            new = [clip for clip, found in zip(some, known, strict=True) if found is None]
            findings = list(pool.map(lambda clip: check_clip(clip.path, check, limits, clip.start, clip.end), new))
            if records is not None:
                records.append(zip(new, findings, strict=True))
            rest = iter(findings)
            yield from (next(rest) if found is None else Finding(*found) for found in known)
