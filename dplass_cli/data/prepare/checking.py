"""Checking clips, by their headers or by decoding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from dplass_cli.audio.ffmpeg import decode
from dplass_cli.audio.probe import is_truncated
from dplass_cli.audio.reading import DECODING_ERRORS, Audio, UnsupportedAudio, audio_info
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.data.prepare.locating import READABLE
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import Check, ClipLimits

BLOCK = 1 << 18  # samples decoded at a time, so that memory does not grow with the length of a file
FULL_SCALE = 0.999
_BATCH = 1024  # clips that are checked in parallel
_TOLERANCE = 0.1  # seconds that a range may end after its file: tables and lossy formats round


class Finding(NamedTuple):
    """Result of a check.

    Attributes:
        fault: why the clip cannot be used; None if it can.
        seconds: its length.
        sample_rate: Hz; 0 without a readable header.
        channels: number of channels; 0 without a readable header.
    """

    fault: str | None = None
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0


def check_clip(
    path: Path | str,
    check: Check,
    limits: ClipLimits | None = None,
    foreign: bool = False,
    start: float = 0.0,
    end: float | None = None,
) -> Finding:
    """Check a clip: a file, or a range of it.

    ``header`` finds the faults "missing", "unreadable" (permissions), "zero-length file" (also a header without
    samples), "not decodable here" (m4a), "not audio", "truncated" where the container shows it (wav, AIFF, AU, Ogg),
    "range beyond the end", "too short" and "low sample rate". ``decode`` reads the whole clip and also finds
    "truncated" in any format (fewer samples than the header says), "not finite" (NaN or infinite samples), "silent" and
    "clipped".

    Args:
        path: the file.
        check: how much to check.
        limits: what the clip must have.
        foreign: accept formats that only FFmpeg decodes, because the clip will be converted.
        start: seconds in the file.
        end: seconds in the file; None for its end.
    """
    if check == "none":
        return Finding()
    limits = limits or ClipLimits()
    path = Path(path)
    try:
        if not path.is_file():
            return Finding("missing")
        if is_truncated(path):
            return Finding("truncated")
        if foreign and path.suffix.lower() not in READABLE and path.stat().st_size:
            return _foreign_finding(path, check, limits, start, end)
        info = audio_info(path)
    except UnsupportedAudio:
        return Finding("not decodable here")
    except InputError as error:
        if not isinstance(error.__cause__, soundfile.LibsndfileError):
            return Finding("zero-length file")
        return Finding("not audio" if path.suffix.lower() in READABLE else "not decodable here")
    except OSError:
        return Finding("unreadable")
    first, last, fault = _range(info.frames, info.sample_rate, limits, start, end)
    if fault is None and check == "decode":
        fault = _samples_fault(_blocks(path, first, last), 1 if info.estimated else last - first, limits)
    return Finding(fault, (last - first) / info.sample_rate, info.sample_rate, info.channels)


def _foreign_finding(path: Path, check: Check, limits: ClipLimits, start: float, end: float | None) -> Finding:
    """Decode a clip whatever the check, because headers of these formats say little."""
    try:
        audio, rate = decode(path)
    except InputError:
        return Finding("not audio")
    first, last, fault = _range(audio.shape[1], rate, limits, start, end)
    if fault is None and check == "decode":
        fault = _samples_fault([audio.T[first:last]], last - first, limits)
    return Finding(fault, (last - first) / rate, rate, len(audio))


def _range(frames: int, rate: int, limits: ClipLimits, start: float, end: float | None) -> tuple[int, int, str | None]:
    """The first frame of a range, the one after its last, and what is wrong with it."""
    first, last = round(min(frames, start * rate)), frames if end is None else round(min(frames, end * rate))
    if first >= frames or (end is not None and end > frames / rate + _TOLERANCE):
        return first, last, "range beyond the end"
    if last <= first or (last - first) / rate < limits.min_seconds:
        return first, last, "too short"
    return first, last, "low sample rate" if rate < limits.min_rate else None


def _blocks(path: Path, first: int, last: int) -> Iterator[Audio]:
    with soundfile.SoundFile(str(path)) as stream:
        if first:
            stream.seek(first)
        while len(block := stream.read(min(BLOCK, last - first), dtype="float32")):
            first += len(block)
            yield block


def _samples_fault(blocks: Iterable[Audio], frames: int, limits: ClipLimits) -> str | None:
    decoded, samples, high, low, peak = 0, 0, 0, 0, 0.0
    try:
        for block in blocks:
            if not np.isfinite(block).all():
                return "not finite"
            decoded += len(block)
            samples += block.size
            high += int((block >= FULL_SCALE).sum())
            low += int((block <= -FULL_SCALE).sum())
            peak = max(peak, float(block.max()), -float(block.min()))
    except DECODING_ERRORS:  # the decoder failed after a good header
        return "truncated"
    if decoded < frames:
        return "truncated"
    if peak < 10 ** (limits.min_peak_db / 20):
        return "silent"
    return "clipped" if 2 * min(high, low) > limits.max_clipped * samples else None


def check_clips(
    clips: Iterable[SourceRange], check: Check, limits: ClipLimits, foreign: bool = False
) -> Iterator[Finding]:
    """Check files, or ranges of them, in threads, and yield the findings in the same order.

    Threads help because the disk and the decoder, which take the time, run outside Python's lock.
    """
    clips = iter(clips)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(clips, _BATCH)):
            yield from pool.map(lambda clip: check_clip(clip.path, check, limits, foreign, clip.start, clip.end), some)
