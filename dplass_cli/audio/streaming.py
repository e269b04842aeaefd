"""Reading audio files block by block, in memory that does not grow with their length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.reading import DECODING_ERRORS, Audio, audio_info, fit_length, require_complete, sndfile_reason
from dplass_cli.errors import InputError


def read_blocks(path: Path | str, sizes: Iterable[int]) -> Iterator[Audio]:
    """Yield consecutive blocks of a file, float32 (C, n), with n taken from ``sizes``.

    Raises:
        InputError: the file is damaged, shorter than its header says, or contains NaN or infinity.
    """
    info, missing = audio_info(path), 0
    try:
        with soundfile.SoundFile(str(path)) as stream:
            for size in sizes:
                samples = stream.read(size, dtype="float32", always_2d=True)
                missing += size - len(samples)
                require_complete(path, info, missing)
                if not np.isfinite(samples).all():
                    raise InputError(f"{path}: contains NaN or infinite samples; replace or remove it")
                yield fit_length(np.ascontiguousarray(samples.T), size)
    except InputError:
        raise
    except DECODING_ERRORS as error:
        raise InputError(f"{path}: damaged audio ({sndfile_reason(error)}); replace or remove it") from error


def even_blocks(frames: int, size: int) -> list[int]:
    """Sizes of the blocks that ``frames`` samples are split into: ``size`` each, the last one possibly shorter."""
    return [min(size, frames - first) for first in range(0, frames, size)]
