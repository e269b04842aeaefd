"""Copies of clips that are fast to read: mono, at the network's rate, losslessly compressed. Each is made once."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.file_names import with_slashes
from dplass_cli.options.prepare_options import FORM, check_form
from dplass_cli.storage import Progress, make_folder, text_sha256

_COPY = re.compile(r"(.*)/[0-9a-f]{2}/[^/]*-[0-9a-f]{12}\.(?:flac|wav)", re.DOTALL)  # as _target names them
_COPIES = re.compile(rf".*-{FORM.pattern}", re.DOTALL)  # the default name of the folder
_NAME_BYTES = 80  # of the source's name that are kept in the copy's name; file systems allow 255 in all
_BATCH = 256  # clips between two reports of progress


class SourceRange(NamedTuple):
    """A file, or a range of it.

    Attributes:
        path: the file.
        start: seconds.
        end: seconds; None for the end of the file.
    """

    path: str
    start: float = 0.0
    end: float | None = None


class CopiedClip(NamedTuple):
    """The copy of a clip.

    Attributes:
        path: the copy; None where the source could not be read.
        made: it was made now, not by an earlier run.
        turned_down: the source is above full scale and was attenuated, so that the copy does not clip.
    """

    path: str | None
    made: bool = False
    turned_down: bool = False


def is_copy(path: str, folder: Path | None = None) -> bool:
    """Whether an absolute path looks like a copy, in ``folder`` or in a folder named after a form."""
    match = _COPY.fullmatch(with_slashes(path))
    if match is None:
        return False
    return _COPIES.fullmatch(match[1]) is not None or (
        folder is not None and match[1] == with_slashes(os.path.abspath(folder))
    )


def convert_clips(sources: Sequence[SourceRange], folder: Path, form: str, progress: Progress) -> list[CopiedClip]:
    """Copy clips into ``folder``, in parallel; complete copies of unchanged sources are not made again.

    A copy is written atomically and gets its source's modification time, by which a later run recognises it. Samples
    have 16 bits.

    Raises:
        InputError: ``form`` is not a form, or the folder cannot be made.
        RunError: the disk is full.
    """
    rate, suffix = check_form(form)
    make_folder(folder)
    copies: list[CopiedClip] = []
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(sources), _BATCH):
            batch = sources[first : first + _BATCH]
            copies += pool.map(lambda source: _convert(source, folder, rate, suffix), batch)
            progress(len(copies), len(sources), "converting clips")
    return copies


def _convert(source: SourceRange, folder: Path, rate: int, suffix: str) -> CopiedClip:
    target = _target(source, folder, rate, suffix)
    try:
        changed = Path(source.path).stat().st_mtime_ns
        if target.is_file() and target.stat().st_mtime_ns == changed:
            return CopiedClip(str(target))
        audio, turned_down = mono_copy(source, rate)
    except (InputError, OSError):
        return CopiedClip(None)
    write_audio(target, audio[None], rate, "PCM_16")
    os.utime(target, ns=(changed, changed))
    return CopiedClip(str(target), made=True, turned_down=turned_down)


def mono_copy(source: SourceRange, rate: int) -> tuple[Audio, bool]:
    """Read a clip as mono, float32 (T,), at a sample rate in Hz; one above full scale is attenuated to it.

    Returns:
        the samples, and whether they were attenuated.

    Raises:
        InputError: the clip cannot be read.
    """
    audio = read_mono(source.path, rate, source.start, source.end)
    peak = float(np.abs(audio).max(initial=0.0))
    return audio / np.float32(max(peak, 1.0)), peak > 1.0


def _target(source: SourceRange, folder: Path, rate: int, suffix: str) -> Path:
    """Path of a source's copy: its name and a hash of what is copied, spread over 256 folders."""
    digest = text_sha256(f"{source.path}\n{source.start}\n{source.end}\n{rate}")
    stem = os.fsencode(Path(source.path).stem)[:_NAME_BYTES].decode(errors="ignore")
    return Path(os.path.abspath(folder)) / digest[:2] / f"{stem}-{digest[2:14]}{suffix}"
