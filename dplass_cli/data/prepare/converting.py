"""Copies of clips that are cheap to read: mono, at the network's rate, losslessly packed; made once."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dplass_cli.audio.ffmpeg import decode
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.locating import READABLE
from dplass_cli.errors import InputError
from dplass_cli.storage import Progress, make_folder, text_sha256

_FORM = re.compile(r"(\d+(?:\.\d+)?)k-mono-(flac|wav)")
_COPY = re.compile(r"(.*)/[0-9a-f]{2}/[^/]*-[0-9a-f]{12}\.(?:flac|wav)", re.DOTALL)  # as _target names them
_COPIES = re.compile(rf".*-{_FORM.pattern}", re.DOTALL)  # the folder, unless it was named by the user
_NAME_BYTES = 80  # of a source's name in its copy's; file systems take 255
_AT_ONCE = 256


class SourceRange(NamedTuple):
    """A file, or the range of it, in seconds, that is to be copied."""

    path: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Copies:
    """What was made.

    Attributes:
        paths: of the copy of each source; None where it could not be read.
        made, found: copies made now, and there before.
        turned_down: copies of sources above full scale, lowered as a whole so that nothing clips.
    """

    paths: tuple[str | None, ...]
    made: int
    found: int
    turned_down: int


def check_form(form: str) -> tuple[int, str]:
    """Return (sample rate in Hz, suffix) of a form such as ``32k-mono-flac``.

    Raises:
        InputError: not such a form.
    """
    match = _FORM.fullmatch(form)
    if match is None or not float(match[1]):
        raise InputError(f"--convert {form}: expected a rate, mono and flac or wav, such as 32k-mono-flac")
    return round(float(match[1]) * 1000), f".{match[2]}"


def is_copy(path: str, folder: Path | None = None) -> bool:
    """Whether an absolute path is that of a copy, by its name and place: ``folder``, or one named after a form."""
    match = _COPY.fullmatch(path)
    if match is None:
        return False
    return _COPIES.fullmatch(match[1]) is not None or (folder is not None and match[1] == os.path.abspath(folder))


def convert_clips(sources: Sequence[SourceRange], folder: Path, form: str, progress: Progress) -> Copies:
    """Copy clips into ``folder``, in parallel; whole copies of unchanged sources are not made again.

    A copy is written atomically, with its source's time of change, by which it is known later. A killed run goes on
    where it was. Samples are 16 bits.

    Raises:
        InputError: ``form`` is none, or the folder can't be made. RunError: the disk is full.
    """
    rate, suffix = check_form(form)
    make_folder(folder)
    paths: list[str | None] = []
    made = found = turned_down = 0
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(sources), _AT_ONCE):
            batch = sources[first : first + _AT_ONCE]
            for copy in pool.map(lambda source: _convert(source, folder, rate, suffix), batch):
                paths.append(copy.path)
                made += copy.made
                found += copy.path is not None and not copy.made
                turned_down += copy.turned_down
            progress(len(paths), len(sources), "converting clips")
    return Copies(tuple(paths), made, found, turned_down)


class _Copy(NamedTuple):
    path: str | None
    made: bool = False
    turned_down: bool = False


def _convert(source: SourceRange, folder: Path, rate: int, suffix: str) -> _Copy:
    target = _target(source, folder, rate, suffix)
    try:
        changed = Path(source.path).stat().st_mtime_ns
        if target.is_file() and target.stat().st_mtime_ns == changed:
            return _Copy(str(target))
        audio = _read_mono(source, rate)
    except (InputError, OSError):
        return _Copy(None)
    peak = float(np.abs(audio).max(initial=0.0))
    write_audio(target, (audio / max(peak, 1.0))[None], rate, "PCM_16")
    os.utime(target, ns=(changed, changed))
    return _Copy(str(target), made=True, turned_down=peak > 1.0)


def _read_mono(source: SourceRange, rate: int) -> Audio:
    path = Path(source.path)
    if path.suffix.lower() in READABLE:
        return read_mono(path, rate, source.start, source.end)
    from dplass_cli.audio.resampling import resample

    audio, found = decode(path, source.start, float("inf") if source.end is None else source.end)
    return resample(audio.mean(axis=0, dtype=np.float32), found, rate)


def _target(source: SourceRange, folder: Path, rate: int, suffix: str) -> Path:
    """Where the copy of a source lies: below a folder of few, under its own name and what tells it from others."""
    digest = text_sha256(f"{source.path}\n{source.start}\n{source.end}\n{rate}")
    stem = Path(source.path).stem.encode()[:_NAME_BYTES].decode(errors="ignore")
    return Path(os.path.abspath(folder)) / digest[:2] / f"{stem}-{digest[2:14]}{suffix}"
