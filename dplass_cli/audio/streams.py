"""Audio files read and written piece by piece, in memory that does not grow with their length."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.files import DAMAGED, Audio, audio_info, container_of, fit_length, require_whole, sndfile_reason
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import atomic_path

_LARGEST_WAV = (1 << 32) - (1 << 20)  # a WAV counts its bytes in 32 bits
_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}


def read_blocks(path: Path | str, sizes: Iterable[int]) -> Iterator[Audio]:
    """Yield blocks float32 (C, n) of a file one after the other, of the sizes asked for.

    Raises:
        InputError: the file is damaged, ends before its header says, or holds samples that are not numbers.
    """
    info, missing = audio_info(path), 0
    try:
        with soundfile.SoundFile(str(path)) as stream:
            for size in sizes:
                samples = stream.read(size, dtype="float32", always_2d=True)
                missing += size - len(samples)
                require_whole(path, info, missing)
                if not np.isfinite(samples).all():
                    raise InputError(f"{path}: holds samples that are not numbers (NaN or infinite); replace it")
                yield fit_length(np.ascontiguousarray(samples.T), size)
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path}: damaged audio ({sndfile_reason(error)}); replace or remove it") from error


def even_blocks(frames: int, size: int) -> list[int]:
    """Cut ``frames`` samples into blocks of ``size`` and a last one of what is left: their sizes."""
    return [min(size, frames - first) for first in range(0, frames, size)]


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
