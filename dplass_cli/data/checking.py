"""Checking clips: what their headers promise, and what decoding finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import soundfile

from dplass_cli.audio.containers import is_cut
from dplass_cli.audio.files import Audio, NotTaken, audio_info
from dplass_cli.audio.foreign import decode
from dplass_cli.data.finding import READABLE
from dplass_cli.errors import InputError

Check = Literal["none", "header", "decode"]

BLOCK = 1 << 18  # samples that are decoded at a time, so that memory does not grow with the length of a file
FULL_SCALE = 0.999
_AT_ONCE = 1024


@dataclass(frozen=True)
class Limits:
    """What a clip must have to be used; the last two are found by decoding.

    Attributes:
        min_seconds: shorter clips are "too short".
        min_rate: clips of a lower sample rate, in Hz, are "low sample rate".
        min_peak_db: clips whose largest sample is below this (dB of full scale) are "silent".
        max_clipped: clips with a larger share of samples at full scale, counted as twice that of the end (the highest
            or the lowest value) which is hit less, are "clipped": an offset is no clipping.
    """

    min_seconds: float = 0.0
    min_rate: int = 0
    min_peak_db: float = -90.0
    max_clipped: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_clipped <= 1:
            raise ValueError(f"max_clipped must be a share between 0 and 1, not {self.max_clipped}")


class Finding(NamedTuple):
    """What a check found: the reason not to use the clip, if any, and its header where it has one."""

    fault: str | None = None
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0


def check_clip(path: Path | str, check: Check, limits: Limits | None = None, foreign: bool = False) -> Finding:
    """Check a clip. ``foreign`` lets one be of a form that only FFmpeg decodes, for it will be converted.

    ``header`` finds what is "missing", "unreadable" (permissions), "zero-length file" (also a header without samples),
    "not decodable here" (m4a), "not audio", "truncated" where the container tells (wav, Ogg), "too short" and "low
    sample rate". ``decode`` reads everything, and finds whatever is "truncated" (fewer samples than promised),
    "not finite" (NaN or infinite samples), "silent" and "clipped" as well.
    """
    if check == "none":
        return Finding()
    limits = limits or Limits()
    path = Path(path)
    try:
        if not path.is_file():
            return Finding("missing")
        if is_cut(path):
            return Finding("truncated")
        if foreign and path.suffix.lower() not in READABLE and path.stat().st_size:
            return _foreign_finding(path, check, limits)
        info = audio_info(path)
    except NotTaken:
        return Finding("not decodable here")
    except InputError as error:
        if not isinstance(error.__cause__, soundfile.LibsndfileError):
            return Finding("zero-length file")
        return Finding("not audio" if path.suffix.lower() in READABLE else "not decodable here")
    except OSError:
        return Finding("unreadable")
    found = _header_finding(info.seconds, info.sample_rate, info.channels, limits)
    if found.fault is None and check == "decode":
        return found._replace(fault=_samples_fault(_blocks(path), info.frames, limits))
    return found


def _header_finding(seconds: float, sample_rate: int, channels: int, limits: Limits) -> Finding:
    short, low = seconds < limits.min_seconds, sample_rate < limits.min_rate
    return Finding("too short" if short else "low sample rate" if low else None, seconds, sample_rate, channels)


def _foreign_finding(path: Path, check: Check, limits: Limits) -> Finding:
    """Decode a clip whatever the check: its containers tell little."""
    try:
        audio, rate = decode(path)
    except InputError:
        return Finding("not audio")
    found = _header_finding(audio.shape[1] / rate, rate, len(audio), limits)
    if found.fault is None and check == "decode":
        return found._replace(fault=_samples_fault([audio.T], audio.shape[1], limits))
    return found


def _blocks(path: Path) -> Iterator[Audio]:
    with soundfile.SoundFile(str(path)) as stream:
        while len(block := stream.read(BLOCK, dtype="float32")):
            yield block


def _samples_fault(blocks: Iterable[Audio], frames: int, limits: Limits) -> str | None:
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
    except soundfile.LibsndfileError:  # the decoder gave up after a good header
        return "truncated"
    if decoded < frames:
        return "truncated"
    if peak < 10 ** (limits.min_peak_db / 20):
        return "silent"
    return "clipped" if 2 * min(high, low) > limits.max_clipped * samples else None


def check_clips(paths: Iterable[str], check: Check, limits: Limits, foreign: bool = False) -> Iterator[Finding]:
    """Check clips, many at a time, in their order.

    The time goes into the disk and the decoder, which run beside each other in threads.
    """
    paths = iter(paths)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(paths, _AT_ONCE)):
            yield from pool.map(lambda path: check_clip(path, check, limits, foreign), some)
