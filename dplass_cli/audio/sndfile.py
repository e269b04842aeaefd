"""Decoding with libsndfile: wav, flac, ogg, mp3 and more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from dplass_cli.audio.flac_frames import joined_flac
from dplass_cli.audio.mpeg_frames import mpeg_parts
from dplass_cli.audio.ogg_pages import joined_ogg
from dplass_cli.audio.parts import FilePart, PartStream
from dplass_cli.audio.probe import audio_after_tags, is_truncated, skip_tags
from dplass_cli.audio.source import (
    Audio,
    AudioInfo,
    DamagedAudio,
    EmptyAudio,
    FileStamp,
    Note,
    ReadSamples,
    UnsupportedAudio,
    file_stamp,
)
from dplass_cli.audio.unfinished import (
    WAV_MAGICS,
    WavLayout,
    is_open_length,
    joined_wavs,
    rewritten_au,
    rewritten_caf,
    rewritten_wav,
    wav_layout,
    wav_part,
)

DECODING_ERRORS = (soundfile.LibsndfileError, ValueError)
"""What reading damaged audio raises: ValueError where the file ends before the position that is sought."""

_HEAD_BYTES, _MAX_PARTS, _LONGEST = 1 << 16, 10_000, 1 << 60
_LARGEST_STEP = 1 << 22  # samples per channel that are read at once, so that no header decides what is allocated


@dataclass(frozen=True)
class SndfileSource:
    """A file that libsndfile decodes; created by :func:`open_sndfile`.

    Attributes:
        path: the file.
        info: its format and length.
        parts: the audio in it, where it has more or other parts than its header says, each with its length.
    """

    path: Path
    info: AudioInfo
    parts: tuple[tuple[FilePart, int], ...] = ()

    @contextlib.contextmanager
    def open(self, first: int = 0) -> Iterator[ReadSamples]:
        """Open the file at a sample."""
        with contextlib.closing(self._streams(first)) as streams:
            stream, left = None, 0

            def read(size: int) -> Audio:
                nonlocal stream, left
                blocks = []
                with _decoding(self.path):
                    while size > 0:
                        if left == 0:
                            stream, left = next(streams, (None, 0))
                        if stream is None:
                            break
                        block = stream.read(min(size, left, _LARGEST_STEP), dtype="float32", always_2d=True)
                        if not len(block):
                            break
                        blocks.append(block.T[_order(stream)])
                        size, left = size - len(block), left - len(block)
                if len(blocks) == 1:
                    return np.ascontiguousarray(blocks[0])
                return np.concatenate([np.empty((self.info.channels, 0), np.float32), *blocks], axis=1)

            yield read

    def _streams(self, first: int) -> Generator[tuple[soundfile.SoundFile, int]]:
        """Open the parts one after another, each with the number of its samples that are to be read."""
        for part, frames in self.parts or ((None, self.info.frames),):
            if first < frames:
                with _opened(self.path, part) as stream:
                    if first or stream.subtype == "OPUS":  # without a seek, it does not skip what the encoder adds
                        stream.seek(first)
                    yield stream, frames - first
            first = max(0, first - frames)


VORBIS_ORDER = {
    3: [0, 2, 1],
    5: [0, 2, 1, 3, 4],
    6: [0, 2, 1, 5, 3, 4],
    7: [0, 2, 1, 6, 5, 3, 4],
    8: [0, 2, 1, 7, 5, 6, 3, 4],
}
"""{channels: where a WAV's channels are among those of Vorbis and Opus}, which libsndfile neither reads nor writes in
the order of other formats (Vorbis I specification, 4.3.9; RFC 7845, 5.1.1.2)."""


def _order(stream: soundfile.SoundFile) -> list[int] | slice:
    """The channels of a stream in the order of a WAV."""
    is_vorbis = stream.format == "OGG" and stream.subtype in ("VORBIS", "OPUS")
    return VORBIS_ORDER.get(stream.channels, slice(None)) if is_vorbis else slice(None)


def open_sndfile(path: Path) -> SndfileSource:
    """Find out what libsndfile decodes of a file.

    Raises:
        soundfile.LibsndfileError: libsndfile does not recognise the file.
        UnsupportedAudio: joined streams differ in rate or channels, or the length of an MP2 cannot be known.
        EmptyAudio: there are no samples.
        OSError: the file cannot be read.
    """
    stamp = file_stamp(path)
    parts, note = _parts(path, stamp)
    if not note and _is_truncated(path, stamp):
        note = "truncated"
    if len(parts) > _MAX_PARTS:
        raise UnsupportedAudio(f"{path}: consists of {len(parts):,} streams (limit: {_MAX_PARTS:,}); convert it to wav")
    lengths: list[int] = []
    first = None
    for part in parts or (None,):
        with _opened(path, part) as stream:
            first = first or _format_of(stream)
            if _format_of(stream)[:2] != first[:2]:
                raise UnsupportedAudio(
                    f"{path}: its audio changes at {sum(lengths) / first.rate:g} s from {_words(first)} to"
                    f" {_words(_format_of(stream))}; convert or replace it"
                )
            if part is not None and part.frames is not None and part.frames > stream.frames:
                raise UnsupportedAudio(f"{path}: the length of this MP2 is unknown; convert it to wav")
            if stream.frames > _LONGEST:  # libsndfile's answer for an unknown length
                raise UnsupportedAudio(f"{path}: does not say its length; convert it to wav")
            lengths.append(stream.frames if part is None or part.frames is None else part.frames)
    assert first is not None
    if sum(lengths) <= 0 and note == "truncated":
        raise DamagedAudio(f"{path}: ends before its first sample; replace or remove it")
    if sum(lengths) <= 0:
        raise EmptyAudio(f"{path}: contains no audio samples; replace or remove it")
    info = AudioInfo(sum(lengths), *first, note)
    return SndfileSource(path, info, tuple(zip(parts, lengths, strict=True)) if parts else ())


class _Format(NamedTuple):
    rate: int
    channels: int
    container: str
    subtype: str


def _format_of(stream: soundfile.SoundFile) -> _Format:
    return _Format(stream.samplerate, stream.channels, stream.format, stream.subtype)


def _words(form: _Format) -> str:
    return f"{form.channels} channel{'s' * (form.channels > 1)} at {form.rate} Hz"


@contextlib.contextmanager
def _opened(path: Path, part: FilePart | None) -> Iterator[soundfile.SoundFile]:
    if part is None and path.suffix.lower() == ".sd2":  # needs the name, since its header is in a second file
        with soundfile.SoundFile(os.fsencode(path)) as stream:
            yield stream
    elif part is None:  # without the name, from which libsndfile guesses formats such as .vox
        with open(path, "rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as stream:
            yield stream
    else:
        with PartStream(path, part) as content, soundfile.SoundFile(content) as stream:
            yield stream


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except DECODING_ERRORS as error:
        raise DamagedAudio(f"{path}: damaged audio ({sndfile_reason(error)}); replace or remove it") from error


@lru_cache(maxsize=4096)  # a file is looked at many times, and some are searched
def _parts(path: Path, stamp: FileStamp) -> tuple[Sequence[FilePart], Note]:
    """The parts of a file that libsndfile does not find by itself, and how its header and content differ."""
    with open(path, "rb") as stream:
        tagged = skip_tags(stream)
        start = stream.tell()
        head = stream.read(_HEAD_BYTES)
        magic = head[:4]
        if magic in WAV_MAGICS and (layouts := joined_wavs(stream)):
            return _joined_wav_parts(path, stream, layouts)
        if magic in WAV_MAGICS or magic == b"caff":
            part, unfinished = (rewritten_caf(stream) if magic == b"caff" else rewritten_wav(stream)) or (None, False)
            return [part] if part else [], "unfinished" if unfinished else ""
        if magic == b"fLaC":
            return joined_flac(stream, start), ""
        if magic in (b".snd", b"dns."):
            part = rewritten_au(stream)
            return ([part], "unfinished") if part else ([], "")
        if magic == b"OggS":
            return joined_ogg(stream), ""
        if not tagged and magic[:1] != b"\xff":
            return [], ""
        padding = audio_after_tags(head)
        parts = mpeg_parts(stream, start + padding)
        if padding and not parts:  # libsndfile recognises no MP3 behind padding
            parts = [FilePart(start + padding, os.fstat(stream.fileno()).st_size)]
        return parts, ""


def _joined_wav_parts(path: Path, stream: BinaryIO, layouts: Sequence[WavLayout]) -> tuple[Sequence[FilePart], Note]:
    """The parts of joined WAVs; the last one may be unfinished or truncated, as a single one.

    Raises:
        UnsupportedAudio: their sample formats differ, of which only the first has been checked to be safe.
    """
    formats = {(layout.format[:2], layout.format[14:16], layout.format[24:40]) for layout in layouts}
    if len(formats) > 1:
        raise UnsupportedAudio(f"{path}: consists of WAV files of different sample formats; convert or replace it")
    size, last = os.fstat(stream.fileno()).st_size, layouts[-1]
    # Only the first file has been checked to be safe: of the others, libsndfile sees a header that is written here.
    parts = [wav_part(stream, layout) for layout in layouts[:-1]]
    if wav_layout(stream) == layouts[0]:
        parts[0] = FilePart(0, layouts[1].begin)
    rewritten, unfinished = rewritten_wav(stream, last.begin) or (wav_part(stream, last), False)
    truncated = not unfinished and not is_open_length(last.length) and last.start + last.length > size
    return [*parts, rewritten], "unfinished" if unfinished else "truncated" if truncated else ""


@lru_cache(maxsize=4096)  # a file is looked at many times
def _is_truncated(path: Path, stamp: FileStamp) -> bool:
    return is_truncated(path)


def sndfile_reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(". ")
