"""Header checks: truncation that decoders ignore, and files that are unsafe to open."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, Literal

from dplass_cli.audio.flac_frames import joined_flac
from dplass_cli.audio.ogg_pages import has_several_streams, ogg_is_truncated
from dplass_cli.audio.unfinished import (
    MAX_CHUNKS,
    WAV_MAGICS,
    has_open_flac_length,
    is_open_length,
    wav_chunks,
    wav_layout,
)

_HEAD_BYTES, _FLAC_HEAD_BYTES, _MAX_TAGS = 1 << 18, 42, 8
_IMA_ADPCM = (b"\x11\x00", b"\x00\x11")  # the format tag in either byte order
_W64_DATA_GUID = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"

_FFMPEG_MAGICS = (b"\x1aE\xdf\xa3", b"#!AMR", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x0bw", b"OggS")
"""The first bytes of Matroska and WebM, AMR, ASF (wma), AC-3 and Ogg."""
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
_TRANSPORT_PACKETS = ((0, 188), (4, 192))  # first byte and length of the packets of MPEG-TS and M2TS


def is_common(path: Path | str) -> bool:
    """Whether a file is in a format that may be decoded, judged by its first bytes and not by its name.

    These are WAV, FLAC, Ogg, AIFF and MP3, and what FFmpeg decodes (:func:`is_for_ffmpeg`).
    """
    with open(path, "rb") as stream:
        tagged = skip_tags(stream)
        head = stream.read(_HEAD_BYTES)
    if tagged:
        return _may_follow_tags(head)
    if head[:4] in WAV_MAGICS:
        return head[8:12] == b"WAVE"
    return (
        head[:4] == b"fLaC" or _is_mpeg(head) or (head[:4] == b"FORM" and head[8:11] == b"AIF") or _is_for_ffmpeg(head)
    )


def is_for_ffmpeg(path: Path | str) -> bool:
    """Whether the first bytes of a file are those of a container that FFmpeg may open."""
    with open(path, "rb") as stream:
        skip_tags(stream)
        return _is_for_ffmpeg(stream.read(_HEAD_BYTES))


def sndfile_misreads(path: Path | str) -> bool:
    """Whether libsndfile opens a file and does not read it well, but FFmpeg does.

    These are Ogg files with several streams at the same time, such as videos, of which it reads the first, and FLAC
    files without their length, as they are written to a pipe, of which it loses the end.
    """
    with open(path, "rb") as stream:
        skip_tags(stream)
        start = stream.tell()
        head = stream.read(_FLAC_HEAD_BYTES)
        if has_open_flac_length(head):
            return not joined_flac(stream, start)  # FFmpeg loses samples where another file begins
        return head[:4] == b"OggS" and has_several_streams(stream)


def _is_for_ffmpeg(head: bytes) -> bool:
    if head.startswith(_FFMPEG_MAGICS) or head[4:8] in _MP4_BOXES or (head[:4] in WAV_MAGICS and head[8:12] == b"WAVE"):
        return True
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:  # AAC without a container (ADTS)
        return True
    return any(head[at::size][:3] == b"GGG" for at, size in _TRANSPORT_PACKETS)


def unsafe_reason(path: Path | str) -> str | None:
    """Why a file must not be opened with libsndfile, or None if it is safe.

    libsndfile up to 1.2.2 overflows a buffer when it opens a WAV or W64 file in IMA ADPCM (CVE-2026-37555), so files
    that are or may be in this format are rejected. It also skips ID3 tags, so only MP3 and FLAC may follow them.
    """
    with open(path, "rb") as stream:
        tagged = skip_tags(stream)
        head = stream.read(_HEAD_BYTES)
        if tagged:
            return None if _may_follow_tags(head) else "contains neither MP3 nor FLAC after its ID3 tags"
        formats = None
        if head[:4] in WAV_MAGICS and head[8:12] != b"WAVE":
            return f"is a RIFF file of type {head[8:12].decode('latin-1')!r}, such as a video, and not a WAV"
        if head[:4] in WAV_MAGICS:
            formats = _wav_formats(stream)
        elif head[:4] == b"riff":
            formats = _w64_formats(stream)
    if formats is None:
        return None
    # Any other "fmt " in the head counts too, in case libsndfile walks the chunks differently.
    offset = 24 if head[:4] == b"riff" else 8  # from the start of a chunk to its content
    formats += [head[found.start() + offset : found.start() + offset + 2] for found in re.finditer(b"fmt ", head)]
    if any(kind in _IMA_ADPCM for kind in formats):
        return "is in IMA ADPCM, which libsndfile does not read safely"
    return None if formats[0] else "is a damaged WAV, which does not name its sample format before its samples"


def _wav_formats(stream: BinaryIO) -> list[bytes]:
    """The format tag in the first ``fmt`` chunk before the samples; empty bytes if there is none."""
    for chunk in wav_chunks(stream):
        if chunk.name == b"fmt ":
            stream.seek(chunk.start)
            return [stream.read(2)]
        if chunk.name == b"data":
            break
    return [b""]


def _w64_formats(stream: BinaryIO) -> list[bytes]:
    """All format tags of a W64, of which the last counts; its chunks have names of 16 bytes and lengths of 8."""
    found: list[bytes] = []
    position = 40
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(26)
        if len(head) < 24 or head[:16] == _W64_DATA_GUID:
            return found or [b""]
        if head[:4] == b"fmt ":
            found.append(head[24:])
        length = int.from_bytes(head[16:24], "little")
        position += max(24, length + -length % 8)
        if position >= 1 << 62:
            break
    return [b""]


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def skip_tags(stream: BinaryIO) -> bool:
    """Seek past the ID3 tags of a file and return whether there are any; malformed tags end at the end of the file."""
    for tags in range(_MAX_TAGS):
        position = stream.tell()
        start = stream.read(10)
        if len(start) < 10 or start[:3] != b"ID3":
            stream.seek(position)
            return tags > 0
        high, middle, low, lowest = (byte & 0x7F for byte in start[6:])
        length = high << 21 | middle << 14 | low << 7 | lowest
        if length < 2:  # libsndfile has read further by then
            break
        stream.seek(length, os.SEEK_CUR)
    stream.seek(0, os.SEEK_END)
    return True


def _may_follow_tags(head: bytes) -> bool:
    return head[:4] == b"fLaC" or _is_mpeg(head[audio_after_tags(head) :])


def audio_after_tags(head: bytes) -> int:
    """The place of the audio in the bytes behind ID3 tags: a tag may have a footer, or be padded with zeros."""
    following = head[10:] if head[:3] == b"3DI" else head
    return len(head) - len(following.lstrip(b"\0"))


def is_truncated(path: Path | str) -> bool:
    """Whether a file ends before its container says, as after an interrupted download or on a full disk.

    WAV, RF64, W64, AIFF and AU: the samples are announced to be longer than the rest of the file. Ogg (RFC 3533): the
    last page is incomplete or not marked as the end of the stream. Other formats show truncation only when decoded, so
    they return False. Reads a few kilobytes.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        magic, _, form = (stream.read(4) for _ in range(3))
        if magic in WAV_MAGICS:
            return form == b"WAVE" and _wav_is_truncated(stream, size)
        if magic == b"FORM":
            return form[:3] == b"AIF" and _aiff_is_truncated(stream, size)
        if magic == b"riff":
            return _w64_is_truncated(stream, size)
        if magic in (b".snd", b"dns."):
            return _au_is_truncated(stream, size, "big" if magic == b".snd" else "little")
        return magic == b"OggS" and ogg_is_truncated(stream)


def _wav_is_truncated(stream: BinaryIO, size: int) -> bool:
    layout = wav_layout(stream)
    if layout is None:
        return stream.tell() >= size
    return not is_open_length(layout.length) and layout.start + layout.length > size


def _aiff_is_truncated(stream: BinaryIO, size: int) -> bool:
    """Whether the chunk of samples is longer than the file, or missing."""
    for _ in range(MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            return True
        length = int.from_bytes(head[4:], "big")
        if head[:4] == b"SSND":
            return not is_open_length(length) and stream.tell() + length > size
        stream.seek(length + length % 2, os.SEEK_CUR)
    return False


def _w64_is_truncated(stream: BinaryIO, size: int) -> bool:
    position = 40
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(24)
        if len(head) < 24:
            return True
        length = int.from_bytes(head[16:], "little")  # the head included
        if head[:16] == _W64_DATA_GUID:
            return not is_open_length(length) and position + length > size
        position += max(24, length + -length % 8)
        if position >= 1 << 62:
            return True
    return False


def _au_is_truncated(stream: BinaryIO, size: int, order: Literal["big", "little"]) -> bool:
    stream.seek(4)
    head = stream.read(8)
    offset, length = int.from_bytes(head[:4], order), int.from_bytes(head[4:], order)
    return not is_open_length(length) and offset + length > size
