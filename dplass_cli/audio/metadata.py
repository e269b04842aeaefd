"""What a file says about its recording apart from samples: tags, a WAV's chunks and its speakers."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import soundfile

from dplass_cli.audio.ffmpeg import read_tags
from dplass_cli.audio.probe import sndfile_misreads
from dplass_cli.audio.unfinished import LONG_WAVS, WavChunk, wav_chunks

TAGS = ("title", "artist", "album", "date", "genre", "tracknumber", "comment", "copyright")
"""The tags that are kept, as libsndfile names them."""

_FFMPEG_TAGS = {"tracknumber": "track"}  # where FFmpeg's name differs
_KEPT_CHUNKS = (b"bext", b"iXML", b"LIST", b"cue ")
"""Broadcast description (EBU Tech 3285), field recorders' notes, tags and markers."""

_MOST_BYTES = 1 << 20  # of all chunks that are kept; longer ones are not descriptions
_EXTENSIBLE = 0xFFFE  # the sample format of a WAV that names its speakers
_MASK = slice(20, 24)  # in "fmt ", the speakers as bits: front left, front right, front centre …


@dataclass(frozen=True)
class Metadata:
    """What is kept of a recording in files that are made of it.

    Attributes:
        tags: {name of :data:`TAGS`: text}.
        chunks: (name, content) of a WAV's chunks; ``LIST`` contains its tags.
        speakers: which speakers a WAV's channels are for, as the bits of ``dwChannelMask``; None if it does not say.
    """

    tags: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    speakers: int | None = None

    @property
    def has_tag_chunk(self) -> bool:
        return any(name == b"LIST" for name, _ in self.chunks)

    @property
    def ffmpeg_tags(self) -> dict[str, str]:
        return {_FFMPEG_TAGS.get(name, name): text for name, text in self.tags.items()}


def read_metadata(path: Path, track: int = 0) -> Metadata:
    """The metadata of an audio file, and of one of its tracks, that can be read; what is malformed is left out."""
    try:
        if sndfile_misreads(path):
            return Metadata(_known(read_tags(path, track)))
        # Without the name, from which libsndfile guesses formats such as .raw, and which need not be UTF-8.
        with open(path, "rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as stream:
            tags = _known(stream.copy_metadata())
    except soundfile.LibsndfileError:  # a file for FFmpeg, or one whose header is rewritten to be read
        tags = _known(read_tags(path, track))
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFX" or head[8:] != b"WAVE":  # the numbers in chunks of RIFX have the other byte order
            return Metadata(tags)
        contents, missing, size = [], _MOST_BYTES, os.fstat(file.fileno()).st_size
        for chunk in wav_chunks(file):
            if chunk.start + chunk.length > size:
                break
            if chunk.name in (b"fmt ", *_KEPT_CHUNKS) and chunk.length <= missing:
                contents.append((chunk.name, _content(file, chunk)))
                missing -= chunk.length
    form = next((content for name, content in contents if name == b"fmt "), b"")
    speakers = int.from_bytes(form[_MASK], "little") if _names_speakers(form) else 0
    return Metadata(tags, tuple(each for each in contents if each[0] != b"fmt "), speakers or None)


def _known(tags: dict[str, str]) -> dict[str, str]:
    own = {_FFMPEG_TAGS.get(name, name): name for name in TAGS} | {name: name for name in TAGS}
    return {own[name.lower()]: text for name, text in tags.items() if name.lower() in own and text.strip()}


def _names_speakers(form: bytes) -> bool:
    return int.from_bytes(form[:2], "little") == _EXTENSIBLE and len(form) >= _MASK.stop


def _content(stream: BinaryIO, chunk: WavChunk) -> bytes:
    stream.seek(chunk.start)
    return stream.read(chunk.length)


def add_to_wav(path: Path, metadata: Metadata) -> None:
    """Append chunks to a WAV or RF64 that is complete, and name its speakers where its format can."""
    if metadata.speakers is None and not metadata.chunks:
        return
    with open(path, "r+b") as stream:
        form = next(chunk for chunk in wav_chunks(stream) if chunk.name == b"fmt ")
        if metadata.speakers is not None and _names_speakers(_content(stream, form)):
            stream.seek(form.start + _MASK.start)
            stream.write(metadata.speakers.to_bytes(4, "little"))
        end = stream.seek(0, os.SEEK_END)
        stream.write(bytes(end % 2))
        for name, content in metadata.chunks:
            stream.write(name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2))
        length = stream.tell() - 8
        stream.seek(0)
        is_long = stream.read(4) in LONG_WAVS
        stream.seek(20 if is_long else 4)  # RF64: the first number of "ds64", which is its first chunk
        stream.write(length.to_bytes(8 if is_long else 4, "little"))
