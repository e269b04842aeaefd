"""What all decoders have in common: the description of an audio file, its errors, and how its samples are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dplass_cli.errors import InputError

Audio = npt.NDArray[np.float32]

ReadSamples = Callable[[int], Audio]
"""Reads up to a number of samples per channel, float32 (C, n); fewer only at the end of the audio."""


FileStamp = tuple[int, int, int]
"""What changes when a file does: inode, bytes, and the time of its last change in ns."""

Note = Literal["", "truncated", "unfinished"]
"""How a file's header and content differ: it ends before its header says, or its header was never finished."""


class UnsupportedAudio(InputError):
    """Audio in a format that is not supported, or not safe to open."""


class EmptyAudio(InputError):
    """A file without audio samples."""


class NotAudio(InputError):
    """A file that no decoder recognises."""


class DamagedAudio(InputError):
    """Audio that cannot be decoded completely."""


@dataclass(frozen=True)
class AudioInfo:
    """An audio file's format and length.

    Attributes:
        frames: samples per channel that can be decoded; not what the header says, where the two differ.
        sample_rate: Hz.
        channels: number of channels.
        format: the container, as libsndfile names it (``WAV``), or FFmpeg (``MOV``).
        subtype: the sample format, as libsndfile names it (``PCM_16``), or FFmpeg's codec (``AAC``).
        note: how the file's header and content differ; empty if they agree.
    """

    frames: int
    sample_rate: int
    channels: int
    format: str
    subtype: str
    note: Note = ""

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


class AudioSource(Protocol):
    """An audio file with the decoder that reads it."""

    @property
    def info(self) -> AudioInfo: ...

    def open(self, first: int = 0) -> AbstractContextManager[ReadSamples]:
        """Open the file at a sample. Reading raises :class:`DamagedAudio`."""
        ...


def no_such_track(path: Path, count: int) -> UnsupportedAudio:
    """The error for a file of ``count`` audio tracks that lacks the one asked for."""
    if count == 0:
        return UnsupportedAudio(f"{path}: has no audio track; replace or remove it")
    return UnsupportedAudio(f"{path}: has only {count} audio track{'s' * (count > 1)}; change --track")


def file_stamp(path: Path) -> FileStamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
