"""Audio files read and written piece by piece, in memory that does not grow with their length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.reading import DAMAGED, Audio, audio_info, fit_length, require_whole, sndfile_reason
from dplass_cli.errors import InputError


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
