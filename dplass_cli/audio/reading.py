"""Reading audio files, whole or block by block, with libsndfile (torchaudio has no decoders since 2.9)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from dplass_cli.audio.probe import is_truncated, mp3_samples, unsafe_reason
from dplass_cli.errors import InputError
from dplass_cli.storage import require_file

_log = logging.getLogger(__name__)

Audio = npt.NDArray[np.float32]

_LOWEST_RATE, _HIGHEST_RATE = 1000, 1_000_000  # Hz
_LARGEST_READ = 1 << 27  # samples, half a gigabyte: 50 minutes of mono at 44.1 kHz


class UnsupportedAudio(InputError):
    """Audio in a format that is not supported, or not safe to open."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of an audio file says.

    Attributes:
        frames: samples per channel.
        sample_rate: Hz.
        channels: number of channels.
        format: the container, as libsndfile names it (``WAV``).
        subtype: the sample format, as libsndfile names it (``PCM_16``).
        estimated: whether ``frames`` is estimated from the file's size because the header does not contain it.
    """

    frames: int
    sample_rate: int
    channels: int
    format: str
    subtype: str
    estimated: bool = False

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


def audio_info(path: Path | str) -> AudioInfo:
    """Read the header of an audio file.

    Of a file that ends before its header says (:func:`~dplass_cli.audio.probe.is_truncated`), libsndfile reads what
    there is; a warning is logged, once per file. Where only decoding shows it, reading raises an error.

    Raises:
        InputError: the file is missing, empty, not audio, or has no samples.
        UnsupportedAudio: the file is not safe to open, or its rate is not between 1 kHz and 1 MHz.
    """
    path = require_file(path, "audio file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); replace or remove it")
    try:
        if reason := unsafe_reason(path):
            raise UnsupportedAudio(f"{path}: {reason}; convert, replace or remove it")
        info = soundfile.info(str(path))
        counted = mp3_samples(path) if info.subtype == "MPEG_LAYER_III" else None
        if info.frames > 0:
            _warn_if_truncated(path, info.frames / max(1, info.samplerate))
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path}: not a readable audio file ({sndfile_reason(error)}); give wav, flac, ogg or mp3"
        ) from error
    if info.frames <= 0:
        raise InputError(f"{path}: contains no audio samples; replace or remove it")
    if not _LOWEST_RATE <= info.samplerate <= _HIGHEST_RATE:
        raise UnsupportedAudio(
            f"{path}: has a sample rate of {info.samplerate:,} Hz; expected {_LOWEST_RATE:,} to {_HIGHEST_RATE:,} Hz"
        )
    if counted == 0:
        raise UnsupportedAudio(
            f"{path}: an MP3 of variable bit rate without an index has an unknown length; convert it to wav"
        )
    frames = info.frames if counted is None else min(info.frames, counted)
    indexed = info.format == "MP3" and info.subtype == "MPEG_LAYER_III" and counted is None
    estimated = info.subtype.startswith("MPEG") and not indexed
    return AudioInfo(frames, info.samplerate, info.channels, info.format, info.subtype, estimated)


@functools.lru_cache(maxsize=4096)  # a file is looked at many times
def _warn_if_truncated(path: Path, seconds: float) -> None:
    if is_truncated(path):
        _log.warning(
            "%s: ends before its header says, so only its first %.2f s are read; replace it if it should be longer",
            path,
            seconds,
        )


def read_audio(path: Path | str, start: float = 0.0, end: float | None = None) -> tuple[Audio, int]:
    """Read the range [``start``, ``end``) in seconds of a file; only these frames are decoded.

    Returns:
        (samples float32 (channels, frames), sample rate in Hz); a range that ends after the file is truncated.

    Raises:
        InputError: the file is missing, empty, not audio, or damaged; the range starts after its end or has more than
            134 million samples (read such files in ranges, or stream them).
    """
    info = audio_info(path)
    first = round(min(info.frames, start * info.sample_rate))
    last = info.frames if end is None else round(min(info.frames, end * info.sample_rate))
    if not 0 <= first < last:
        raise InputError(f"{path}: no audio between {start} s and {end} s (the file has {info.seconds:.3f} s)")
    _require_moderate_size(path, (last - first) * info.channels)
    (audio,) = _decoded(path, info, [last - first], first)
    return audio, info.sample_rate


def read_mono(path: Path | str, sample_rate: int, start: float = 0.0, end: float | None = None) -> Audio:
    """Read a range like :func:`read_audio`, as mono (mean of the channels) at ``sample_rate`` Hz: float32 (frames,)."""
    from dplass_cli.audio.resampling import resample  # here, since it imports torch, which headers do not need

    audio, rate = read_audio(path, start, end)
    _require_moderate_size(path, audio.shape[1] * sample_rate // rate)
    mono: Audio = audio.mean(axis=0, dtype=np.float32) if len(audio) > 1 else audio[0]
    return resample(mono, rate, sample_rate)


def read_blocks(path: Path | str, sizes: Iterable[int]) -> Iterator[Audio]:
    """Yield consecutive blocks of a file, float32 (C, n), with n taken from ``sizes``."""
    return _decoded(path, audio_info(path), sizes)


def _decoded(path: Path | str, info: AudioInfo, sizes: Iterable[int], first: int = 0) -> Iterator[Audio]:
    """Yield consecutive blocks from a sample on; InputError if the file is damaged or shorter than its header says."""
    missing = 0
    try:
        with soundfile.SoundFile(str(path)) as stream:
            if first:
                stream.seek(first)
            for size in sizes:
                samples = stream.read(size, dtype="float32", always_2d=True)
                missing += size - len(samples)
                if missing > 0 and not info.estimated:
                    seconds = missing / info.sample_rate
                    raise InputError(f"{path}: is {seconds:.3f} s shorter than its header says; replace or remove it")
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


def _require_moderate_size(path: Path | str, samples: int) -> None:
    """Reject ranges that may not fit into memory: a compressed file of a few kilobytes can hold days of silence."""
    if samples > _LARGEST_READ:
        raise InputError(
            f"{path}: {samples / 1e6:,.0f} million samples are too many to read at once (limit:"
            f" {_LARGEST_READ / 1e6:,.0f} million); split the file, or read ranges of it"
        )


def fit_length(audio: Audio, length: int) -> Audio:
    """Truncate or zero-pad the end of the last axis to ``length`` samples."""
    if audio.shape[-1] >= length:
        return audio[..., :length]
    return np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, length - audio.shape[-1])])


DECODING_ERRORS = (soundfile.LibsndfileError, ValueError)
"""What reading damaged audio raises: ValueError where the file ends before the position that is sought."""


def sndfile_reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(". ")
