"""Downloads of a job: its sounds in other formats, a mix of them, and all of them in one zip."""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dplass_cli.audio.encoding import ENCODINGS, lossy_writer
from dplass_cli.audio.reading import Audio, AudioInfo, audio_info, even_blocks, read_blocks
from dplass_cli.audio.writing import audio_writer, container_of
from dplass_cli.errors import DplassError, InputError
from dplass_cli.separation.output import name_parts, unused_name
from dplass_cli.server.job_queue import JobNotFound, SeparationJob, Sound

DownloadFormat = Literal["wav", "flac", "mp3"]
FORMATS: tuple[DownloadFormat, ...] = get_args(DownloadFormat)
MEDIA_TYPES: dict[DownloadFormat, str] = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}

GAIN_RANGE_DB = (-60.0, 12.0)
"""The gains that a mix may have."""

_CEILING = 0.999
_BLOCK_SAMPLES = 1 << 18
_ZIP_BLOCK = 1 << 18  # bytes
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest: a zip of the same sounds is then always the same
_LARGEST_WITHOUT_ZIP64 = 1 << 30  # bytes; a margin below 4 GB


def formats_for(info: AudioInfo) -> list[DownloadFormat]:
    """The formats that can represent the channels and the sample rate of a recording."""
    return [form for form in FORMATS if _is_writable(form, info)]


def _is_writable(form: DownloadFormat, info: AudioInfo) -> bool:
    if form == "wav":
        return True  # it was written as one
    if form == "mp3":
        return info.channels in ENCODINGS[".mp3"].layouts
    try:
        container_of(Path(f"sound.{form}"), _subtype(form, info), info.sample_rate, info.channels)
    except InputError:
        return False
    return True


def _subtype(form: DownloadFormat, info: AudioInfo) -> str:
    """The sample format of a wav or FLAC file; FLAC has no float samples."""
    return info.subtype if form == "wav" or info.subtype == "PCM_16" else "PCM_24"


def file_stems(job: SeparationJob) -> dict[str, str]:
    """{name of a sound: name of its file without suffix}: the recording's name and the query, as ``separate`` does."""
    stem = re.sub(r"\W+", "_", re.sub(r"\.[^.]*$", "", job.name)).strip("_").encode()[:60].decode(errors="ignore")
    taken: set[str] = set()
    labels = {sound.name: _label(sound) for sound in job.sounds}
    parts = {name: unused_name(name_parts([label])[label], taken) for name, label in labels.items()}
    return {name: f"{stem or 'recording'}_{part}" for name, part in parts.items()}


def _label(sound: Sound) -> str:
    if sound.query is None:
        return sound.kind
    return f"removed {sound.query}" if sound.kind == "removed" else sound.query


def sound_file(job: SeparationJob, sound: Sound, form: DownloadFormat) -> Path:
    """The file of a sound in a format; it is encoded on the first request and kept with the job.

    Raises:
        InputError: the format cannot represent so many channels.
        JobNotFound: the job was dropped meanwhile.
    """
    if form == "wav":
        return sound.audio
    path = sound.audio.with_suffix(f".{form}")
    with _files_of(job):
        if not path.exists():
            info = audio_info(sound.audio)
            with _writer(path, form, info) as write:
                for block in read_blocks(sound.audio, even_blocks(info.frames, _BLOCK_SAMPLES)):
                    write(block)
    return path


def mix_file(job: SeparationJob, gains_db: Mapping[Sound, float], form: DownloadFormat) -> Path:
    """Write a mix of sounds of a job, {sound: gain in dB}, to a new file; the caller removes it.

    A mix that would exceed full scale is turned down as a whole.

    Raises:
        InputError: the format cannot represent so many channels.
        JobNotFound: the job was dropped meanwhile.
    """
    path = job.folder / f"mix-{secrets.token_hex(8)}.{form}"
    with _files_of(job):
        info = audio_info(next(iter(gains_db)).audio)
        peak = max(float(np.abs(block).max(initial=0.0)) for block in _mixed(gains_db, info))
        gain = np.float32(min(1.0, _CEILING / peak)) if peak > 1.0 else np.float32(1.0)
        with _writer(path, form, info) as write:
            for block in _mixed(gains_db, info):
                write(block * gain)
    return path


def _mixed(gains_db: Mapping[Sound, float], info: AudioInfo) -> Iterator[Audio]:
    sizes = even_blocks(info.frames, _BLOCK_SAMPLES)
    gains = [np.float32(10.0 ** (decibels / 20.0)) for decibels in gains_db.values()]
    for blocks in zip(*(read_blocks(sound.audio, sizes) for sound in gains_db), strict=True):
        mixed: Audio = sum((gain * block for gain, block in zip(gains, blocks, strict=True)), start=0 * blocks[0])
        yield mixed


def _writer(
    path: Path, form: DownloadFormat, info: AudioInfo
) -> contextlib.AbstractContextManager[Callable[[Audio], None]]:
    if form == "mp3":
        return lossy_writer(path, info.sample_rate, info.channels)
    return audio_writer(path, info.sample_rate, info.channels, _subtype(form, info), info.frames)


@contextlib.contextmanager
def _files_of(job: SeparationJob) -> Iterator[None]:
    """Work on the files of a job that may be dropped meanwhile: JobNotFound then, and no file is left behind."""
    try:
        yield
    except (DplassError, OSError) as error:
        if job.cancelled:
            raise JobNotFound from error
        raise
    finally:
        if job.cancelled:
            shutil.rmtree(job.folder, ignore_errors=True)


def zip_blocks(job: SeparationJob, form: DownloadFormat) -> Iterator[bytes]:
    """The bytes of a zip of all sounds but the recording, in memory that does not grow with their length."""
    sink = _Sink()
    stems = file_stems(job)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for sound in job.sounds:
            if sound.kind == "recording":
                continue
            path = sound_file(job, sound, form)
            with open(path, "rb") as file:
                entry = zipfile.ZipInfo(f"{stems[sound.name]}.{form}", _ZIP_DATE)
                large = path.stat().st_size > _LARGEST_WITHOUT_ZIP64
                with archive.open(entry, "w", force_zip64=large) as member:
                    while block := file.read(_ZIP_BLOCK):
                        member.write(block)
                        yield sink.take()
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A stream that a zip is written to without seeking; what was written is taken away block by block."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Append bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
