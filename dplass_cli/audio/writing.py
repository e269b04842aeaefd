"""Writing audio files, whole or block by block, with libsndfile."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.metadata import Metadata, add_to_wav
from dplass_cli.audio.sndfile import VORBIS_ORDER, sndfile_reason
from dplass_cli.audio.source import Audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import atomic_path

NO_METADATA = Metadata()
_EXCLUDED = ("RAW", "SD2")  # RAW has no header, SD2 writes a second file
_NOT_READ_AGAIN = ("DWVW_12", "DWVW_16", "DWVW_24", "ALAC_20")
_LARGEST_WRITE = 1 << 18  # samples per channel
_LARGEST_WAV = (1 << 32) - (1 << 20)  # bytes; a WAV stores its size in 32 bits
_BYTES_PER_SAMPLE = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}


def default_subtype(container: str, wanted: str, sample_rate: int, channels: int) -> str:
    """The sample format to write: ``wanted`` if the container supports it, else the container's default."""
    if _is_writable(container, wanted, sample_rate, channels):
        return wanted
    return str(soundfile.default_subtype(container))


def write_audio(path: Path | str, audio: Audio, sample_rate: int, subtype: str = "FLOAT") -> None:
    """Write audio, float32 (channels, frames), atomically; see :func:`audio_writer`.

    Integer sample formats clip at full scale (libsndfile saturates, it does not wrap); callers report this to the user.
    """
    with audio_writer(path, sample_rate, len(audio), subtype, audio.shape[1]) as write:
        write(audio)


def container_of(path: Path, subtype: str, sample_rate: int, channels: int) -> str:
    """libsndfile's container for a suffix; InputError if there is none, or it does not support the sample format."""
    container = path.suffix.lstrip(".").upper()
    if container not in soundfile.available_formats() or container in _EXCLUDED:
        raise InputError(f"{path}: cannot write {path.suffix or 'a file without a suffix'}; use .wav, .flac or .ogg")
    if not _is_writable(container, subtype, sample_rate, channels):
        known = [
            name
            for name in soundfile.available_subtypes(container)
            if _is_writable(container, name, sample_rate, channels)
        ]
        layout = f"{channels} channel{'s' * (channels > 1)} at {sample_rate:,} Hz"
        raise InputError(
            f"{path}: {container} does not support {layout} as {subtype!r}; "
            + (f"use one of {', '.join(known)}" if known else "use .wav")
        )
    return container


@lru_cache(maxsize=256)
def _is_writable(container: str, subtype: str, sample_rate: int, channels: int) -> bool:
    """Whether libsndfile can write this combination, found by trying.

    ``soundfile.check_format`` ignores the rate and the channels, and accepts MP3 in WAV, which cannot be written. What
    could not be read again is not written: IMA ADPCM (:func:`~dplass_cli.audio.probe.unsafe_reason`), DWVW, in which
    libsndfile cannot seek, and ALAC of 20 bits, of which it reads noise.
    """
    if subtype in _NOT_READ_AGAIN or (subtype == "IMA_ADPCM" and container != "AIFF"):
        return False
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
    path: Path | str, sample_rate: int, channels: int, subtype: str, frames: int, metadata: Metadata = NO_METADATA
) -> Iterator[Callable[[Audio], None]]:
    """Write an audio file block by block: yields a function that appends a block, float32 (C, n).

    The file appears, complete, when the context ends without an error. A WAV over 4 GB is written as RF64.

    Args:
        path: the suffix chooses the container (wav, flac, ogg …).
        sample_rate: Hz.
        channels: C.
        subtype: the sample format, as libsndfile names it.
        frames: how many samples per channel will be written in total.
        metadata: tags; of a WAV also chunks and speakers.

    Raises:
        InputError: the suffix is not a known container, or the container does not support the sample format.
        RunError: the disk is full.
    """
    path = Path(path)
    container = container_of(path, subtype, sample_rate, channels)
    if container == "WAV" and frames * channels * _BYTES_PER_SAMPLE.get(subtype, 8) > _LARGEST_WAV:
        container = "RF64"
    if container == "WAV" and metadata.speakers is not None and _is_writable("WAVEX", subtype, sample_rate, channels):
        container = "WAVEX"  # a WAV that names its speakers
    is_wav = container in ("WAV", "WAVEX", "RF64")
    with atomic_path(path) as temporary:
        try:
            encoded = os.fsencode(temporary)  # soundfile cannot encode names that are not UTF-8
            with soundfile.SoundFile(encoded, "w", sample_rate, channels, subtype, format=container) as stream:
                for name, text in () if is_wav and metadata.has_tag_chunk else metadata.tags.items():
                    setattr(stream, name, text)
                yield partial(_write, stream)
            if is_wav:
                add_to_wav(temporary, metadata)
        except soundfile.LibsndfileError as error:  # how libsndfile reports a full disk
            raise RunError(f"{path}: writing failed ({sndfile_reason(error)}); free space and run again") from error


def _write(stream: soundfile.SoundFile, audio: Audio) -> None:
    """Append samples (C, n), a few at a time: libsndfile's Vorbis encoder keeps what one call writes on the stack."""
    if stream.format == "OGG" and stream.channels in VORBIS_ORDER:
        audio = audio[np.argsort(VORBIS_ORDER[stream.channels])]
    for first in range(0, audio.shape[1], _LARGEST_WRITE):
        stream.write(audio[:, first : first + _LARGEST_WRITE].T)
