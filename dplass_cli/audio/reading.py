"""Reading audio files, whole or block by block, with libsndfile or FFmpeg (torchaudio has no decoders since 2.9)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.ffmpeg import FFmpegSource, measure
from dplass_cli.audio.folders import UNSUPPORTED
from dplass_cli.audio.probe import is_for_ffmpeg, sndfile_misreads, unsafe_reason
from dplass_cli.audio.shard_members import member_source
from dplass_cli.audio.sndfile import open_sndfile, sndfile_reason
from dplass_cli.audio.source import (
    Audio,
    AudioInfo,
    AudioSource,
    DamagedAudio,
    EmptyAudio,
    FileStamp,
    NotAudio,
    Note,
    UnsupportedAudio,
    file_stamp,
    no_such_track,
)
from dplass_cli.errors import InputError
from dplass_cli.storage import require_file

__all__ = ["Audio", "AudioInfo"]

_log = logging.getLogger(__name__)

_LOWEST_RATE, _HIGHEST_RATE = 1000, 1_000_000  # Hz
LARGEST_SAMPLE = 1e6
"""The largest sample that is accepted, 120 dB above full scale: sums and squares of much larger ones overflow."""

_LARGEST_READ = 1 << 27  # samples, half a gigabyte: 50 minutes of mono at 44.1 kHz

_WARNINGS: dict[Note, str] = {
    "truncated": "ends before its header says, so only its first %.2f s are read; replace it if it should be longer",
    "unfinished": "its header was never finished, so its length is that of the samples in it: %.2f s",
}


def open_audio(path: Path | str, track: int = 0) -> AudioSource:
    """Find the decoder of a file by its content; its name does not matter.

    Args:
        path: the file.
        track: which of its audio tracks, from 0 on; only containers for FFmpeg have several.

    Raises:
        InputError: the file is missing, empty, or cannot be read.
        UnsupportedAudio: the file is not safe to open, in a format that is not supported, or it has no such track.
        NotAudio: no decoder recognises it.
        EmptyAudio: it has no samples.
        DamagedAudio: FFmpeg cannot decode a part of it.
    """
    if (member := member_source(Path(path))) is not None:
        if track:
            raise no_such_track(Path(path), 1)
        return member
    path = require_file(path, "audio file")
    if path.stat().st_size == 0:
        raise EmptyAudio(f"{path}: the file is empty (0 bytes); replace or remove it")
    try:
        return _opened(path, track, file_stamp(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


# A training sample looks at its clip's length first, and may then try several segments.
@functools.lru_cache(maxsize=4)
def _opened(path: Path, track: int, stamp: FileStamp) -> AudioSource:
    if reason := unsafe_reason(path):
        raise UnsupportedAudio(f"{path}: {reason}; convert, replace or remove it")
    source = _source(path, track, stamp)
    rate = source.info.sample_rate
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise UnsupportedAudio(
            f"{path}: has a sample rate of {rate:,} Hz; expected {_LOWEST_RATE:,} to {_HIGHEST_RATE:,} Hz"
        )
    return source


def _source(path: Path, track: int, stamp: FileStamp) -> AudioSource:
    try:
        if not sndfile_misreads(path):
            source = open_sndfile(path)
            if track:
                raise no_such_track(path, 1)
            return source
    except soundfile.LibsndfileError as error:
        if not is_for_ffmpeg(path):
            if path.suffix.lower() in UNSUPPORTED:
                raise UnsupportedAudio(
                    f"{path}: {path.suffix} is not supported; convert it to wav, flac or ogg"
                ) from error
            raise NotAudio(
                f"{path}: not a readable audio file ({sndfile_reason(error)}); give a recording such as wav, flac,"
                " mp3 or m4a"
            ) from error
    return _measured(path, track, stamp)


@functools.lru_cache(maxsize=4096)  # decodes the whole file
def _measured(path: Path, track: int, stamp: FileStamp) -> FFmpegSource:
    return measure(path, track)


def audio_info(path: Path | str, track: int = 0) -> AudioInfo:
    """The format and the length of a track of an audio file.

    The length is what can be decoded. Where the header says another one (:data:`~dplass_cli.audio.source.Note`), a
    warning is logged, once per file. An incomplete FLAC or MP3 shows only when it is decoded; reading it raises an
    error.

    Raises:
        InputError: as :func:`open_audio`.
    """
    return _warned_source(path, track).info


def _warned_source(path: Path | str, track: int = 0) -> AudioSource:
    source = open_audio(path, track)
    if source.info.note:
        _warn(Path(path), source.info.note, source.info.seconds)
    return source


@functools.lru_cache(maxsize=4096)  # once per file
def _warn(path: Path, note: Note, seconds: float) -> None:
    _log.warning(f"%s: {_WARNINGS[note]}", path, seconds)


def read_audio(path: Path | str, start: float = 0.0, end: float | None = None, track: int = 0) -> tuple[Audio, int]:
    """Read the range [``start``, ``end``) in seconds of a track; only these frames are decoded.

    Returns:
        (samples float32 (channels, frames), sample rate in Hz); a range that ends after the file is truncated.

    Raises:
        InputError: the file is missing, empty, not audio, or damaged; it contains samples that are NaN, infinite or
            above a million (:data:`LARGEST_SAMPLE`); the range starts after its end or has more than 134 million
            samples (read such files in ranges, or stream them).
    """
    source = _warned_source(path, track)
    info = source.info
    first = round(min(info.frames, start * info.sample_rate))
    last = info.frames if end is None else round(min(info.frames, end * info.sample_rate))
    if not 0 <= first < last:
        raise InputError(f"{path}: no audio between {start} s and {end} s (the file has {info.seconds:.3f} s)")
    _require_moderate_size(path, (last - first) * info.channels)
    (audio,) = _decoded(source, path, [last - first], first)
    return audio, info.sample_rate


def read_mono(
    path: Path | str, sample_rate: int, start: float = 0.0, end: float | None = None, track: int = 0
) -> Audio:
    """Read a range like :func:`read_audio`, as mono (mean of the channels) at ``sample_rate`` Hz: float32 (frames,)."""
    from dplass_cli.audio.resampling import resample  # here, since it imports torch, which headers do not need

    audio, rate = read_audio(path, start, end, track)
    _require_moderate_size(path, audio.shape[1] * sample_rate // rate)
    mono: Audio = audio.mean(axis=0, dtype=np.float32) if len(audio) > 1 else audio[0]
    return resample(mono, rate, sample_rate)


def read_channels(
    path: Path | str, sample_rate: int, channels: int, start: float = 0.0, end: float | None = None
) -> Audio:
    """Read a range like :func:`read_audio`, at ``sample_rate`` Hz with a number of channels: float32 (C, frames).

    Audio with another number of channels becomes mono, the same in all channels.
    """
    from dplass_cli.audio.resampling import resample

    audio, rate = read_audio(path, start, end)
    _require_moderate_size(path, channels * (audio.shape[1] * sample_rate // rate))
    if len(audio) != channels:
        audio = np.repeat(audio.mean(axis=0, dtype=np.float32)[None], channels, axis=0)
    return resample(audio, rate, sample_rate)


def read_blocks(path: Path | str, sizes: Iterable[int], track: int = 0) -> Iterator[Audio]:
    """Yield consecutive blocks of a track, float32 (C, n), with n taken from ``sizes``.

    They are checked as by :func:`read_audio`.
    """
    return _decoded(_warned_source(path, track), path, sizes)


def check_samples(samples: Audio, where: Path | str) -> None:
    """Check that samples are in the range that can be processed; full scale is 1.0.

    Raises:
        InputError: a sample is NaN, infinite or above :data:`LARGEST_SAMPLE`; the message begins with ``where``.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if not np.isfinite(peak):
        raise InputError(f"{where}: contains NaN or infinite samples; replace or remove it")
    if peak > LARGEST_SAMPLE:
        raise InputError(
            f"{where}: contains samples of {peak:.3g}, where full scale is 1.0 and {LARGEST_SAMPLE:,.0f} is the limit;"
            " divide its samples by a constant, or replace it"
        )


def _decoded(source: AudioSource, path: Path | str, sizes: Iterable[int], first: int = 0) -> Iterator[Audio]:
    """Yield consecutive blocks from a sample on; InputError if the file is damaged or shorter than its header says."""
    with source.open(first) as read:
        for size in sizes:
            samples = read(size)
            if samples.shape[1] < size:
                seconds = (size - samples.shape[1]) / source.info.sample_rate
                raise DamagedAudio(f"{path}: is {seconds:.3f} s shorter than its header says; replace or remove it")
            check_samples(samples, path)
            yield samples


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
