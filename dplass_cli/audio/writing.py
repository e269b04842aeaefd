"""Writing audio files, whole or block by block, with libsndfile."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.reading import Audio, sndfile_reason
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import atomic_path

_ODD = ("RAW", "SD2")  # the one says nothing of what it holds, the other writes a second file
_LARGEST_WAV = (1 << 32) - (1 << 20)  # a WAV counts its bytes in 32 bits
_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}


def default_subtype(container: str, wanted: str, sample_rate: int, channels: int) -> str:
    """The sample format to write: ``wanted`` where the container takes it, its default otherwise."""
    if _is_written(container, wanted, sample_rate, channels):
        return wanted
    return str(soundfile.default_subtype(container))


def write_audio(path: Path | str, audio: Audio, sample_rate: int, subtype: str = "FLOAT") -> None:
    """Write float32 (channels, frames) to wav, flac or ogg (by the suffix of ``path``), atomically.

    Integer sample formats clip at full scale (libsndfile saturates; nothing wraps). Callers say so to the user.

    Raises:
        InputError: the suffix is not a known container, or the container does not take the sample format.
        RunError: the disk is full.
    """
    path = Path(path)
    container = container_of(path, subtype, sample_rate, len(audio))
    with atomic_path(path) as temporary:
        try:
            soundfile.write(str(temporary), audio.T, sample_rate, subtype=subtype, format=container)
        except soundfile.LibsndfileError as error:  # what libsndfile makes of a full disk
            raise RunError(f"{path}: writing failed ({sndfile_reason(error)}); free space and run again") from error


def container_of(path: Path, subtype: str, sample_rate: int, channels: int) -> str:
    """The container that a suffix asks for, as libsndfile names it.

    Raises:
        InputError: the suffix is not a known container, or the container does not take the sample format.
    """
    container = path.suffix.lstrip(".").upper()
    if container not in soundfile.available_formats() or container in _ODD:
        raise InputError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; use .wav, .flac or .ogg")
    if not _is_written(container, subtype, sample_rate, channels):
        known = [
            name
            for name in soundfile.available_subtypes(container)
            if _is_written(container, name, sample_rate, channels)
        ]
        what = f"{channels} channel{'s' * (channels > 1)} of {sample_rate:,} Hz"
        raise InputError(
            f"{path}: {container} does not take {what} as {subtype!r}; "
            + (f"use one of {', '.join(known)}" if known else "use .wav")
        )
    return container


@lru_cache(maxsize=256)
def _is_written(container: str, subtype: str, sample_rate: int, channels: int) -> bool:
    """Whether libsndfile writes it; its own answer knows neither rate nor channels, and says yes to MP3 within WAV."""
    if not soundfile.check_format(container, subtype):
        return False
    try:
        with soundfile.SoundFile(io.BytesIO(), "w", sample_rate, channels, subtype, format=container) as stream:
            stream.write(np.zeros((1, channels)))
    except soundfile.LibsndfileError:
        return False
    return True


@contextlib.contextmanager
def audio_writer(
    path: Path | str, sample_rate: int, channels: int, subtype: str, frames: int
) -> Iterator[Callable[[Audio], None]]:
    """Write wav, flac or ogg (by the suffix) block by block: yields what takes float32 (C, n).

    The file is there when the context ends without an error, whole; a WAV over 4 GB is written as RF64.

    Args:
        frames: how many will come.

    Raises:
        InputError: the suffix is not a known container, or the container does not take the sample format.
        RunError: the disk is full.
    """
    path = Path(path)
    form = container_of(path, subtype, sample_rate, channels)
    if form == "WAV" and frames * channels * _BYTES.get(subtype, 8) > _LARGEST_WAV:
        form = "RF64"
    with atomic_path(path) as temporary:
        try:
            with soundfile.SoundFile(str(temporary), "w", sample_rate, channels, subtype, format=form) as stream:
                yield lambda audio: stream.write(audio.T)
        except soundfile.LibsndfileError as error:  # what libsndfile makes of a full disk
            raise RunError(f"{path}: writing failed ({sndfile_reason(error)}); free space and run again") from error
