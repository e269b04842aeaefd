"""Header checks: truncation that decoders ignore, and files that are unsafe to open."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

_TAIL_BYTES = 1 << 17  # an Ogg page has at most 65,307 bytes
_UNKNOWN = 0xFFFFFFFF  # instead of a length: it is unknown, or does not fit into 32 bits
_HEAD_BYTES, _MAX_TAGS, _MAX_CHUNKS = 1 << 18, 8, 1000
_IMA_ADPCM = (b"\x11\x00", b"\x00\x11")  # the format tag in either byte order
_WAV_MAGICS = (b"RIFF", b"RIFX", b"RF64")
_W64_DATA_GUID = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
# Bit rates of MPEG layer III: for version 1, and for versions 2 and 2.5 (ISO 11172-3 and ISO 13818-3, section 2.4.2.3).
_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {  # Hz, by the version bits of the header
    3: (44100, 48000, 32000),
    2: (22050, 24000, 16000),
    0: (11025, 12000, 8000),
}


def is_common(path: Path | str) -> bool:
    """Whether a file is WAV, FLAC, Ogg, AIFF or MP3, judged by its first bytes and not by its name."""
    with open(path, "rb") as stream:
        tagged = _skip_tags(stream)
        head = stream.read(_HEAD_BYTES)
    if tagged:
        return _may_follow_tags(head)
    if head[:4] in _WAV_MAGICS:
        return head[8:12] == b"WAVE"
    return head[:4] in (b"fLaC", b"OggS") or _is_mpeg(head) or (head[:4] == b"FORM" and head[8:11] == b"AIF")


def unsafe_reason(path: Path | str) -> str | None:
    """Why a file must not be opened with libsndfile, or None if it is safe.

    libsndfile up to 1.2.2 overflows a buffer when it opens a WAV or W64 file in IMA ADPCM (CVE-2026-37555), so files
    that are or may be in this format are rejected. It also skips ID3 tags, so only MP3 and FLAC may follow them.
    """
    with open(path, "rb") as stream:
        tagged = _skip_tags(stream)
        head = stream.read(_HEAD_BYTES)
        if tagged:
            return None if _may_follow_tags(head) else "contains neither MP3 nor FLAC after its ID3 tags"
        formats = None
        if head[:4] in _WAV_MAGICS and head[8:12] != b"WAVE":
            return f"is a RIFF file of type {head[8:12].decode('latin-1')!r}, such as a video, and not a WAV"
        if head[:4] in _WAV_MAGICS:
            formats = _wav_formats(stream, "big" if head[:4] == b"RIFX" else "little")
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


def _wav_formats(stream: BinaryIO, order: Literal["big", "little"]) -> list[bytes]:
    """The format tag in the first ``fmt`` chunk before the samples; empty bytes if there is none."""
    stream.seek(12)
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        if head[:4] == b"fmt ":
            return [stream.read(2)]
        if len(head) < 8 or head[:4] == b"data":
            break
        length = int.from_bytes(head[4:], order)
        stream.seek(length + length % 2, os.SEEK_CUR)
    return [b""]


def _w64_formats(stream: BinaryIO) -> list[bytes]:
    """All format tags of a W64, of which the last counts; its chunks have names of 16 bytes and lengths of 8."""
    found: list[bytes] = []
    position = 40
    for _ in range(_MAX_CHUNKS):
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


def mp3_samples(path: Path | str) -> int | None:
    """The number of samples per channel of an MP3 without an index, computed from its size; None for other files.

    Decoders estimate this length from the bit rate of the first frame, and libsndfile stops reading there. Returns 0 if
    the bit rate varies, where no estimate is reliable.
    """
    with open(path, "rb") as stream:
        _skip_tags(stream)
        start = stream.tell()
        head = stream.read(_HEAD_BYTES)
        stream.seek(-min(128, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        end = stream.tell() if stream.read(3) == b"TAG" else stream.seek(0, os.SEEK_END)
    frame = _mpeg_frame(head[:4])
    if frame is None or any(name in head[: frame.length] for name in (b"Xing", b"Info", b"VBRI")):
        return None
    offset = 0
    while following := _mpeg_frame(head[offset : offset + 4]):
        if following.kbps != frame.kbps:
            return 0
        offset += following.length
    count = (end - start) * frame.rate / (frame.kbps * 125) / frame.samples
    return round(count) * frame.samples


class _Frame(NamedTuple):
    """The header of an MPEG layer III frame."""

    kbps: int  # 1000 bit/s
    rate: int  # Hz
    samples: int  # per channel
    length: int  # bytes, header included


def _mpeg_frame(header: bytes) -> _Frame | None:
    """Parse the four bytes of a frame header; None if they are not one."""
    if len(header) < 4 or not _is_mpeg(header) or header[1] >> 1 & 3 != 1:
        return None
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version not in _MPEG_RATES or rate == 3 or kbps in (0, 15):
        return None
    hertz, bit_rate, samples = _MPEG_RATES[version][rate], _KBPS[version == 3][kbps], 1152 if version == 3 else 576
    return _Frame(bit_rate, hertz, samples, samples * bit_rate * 125 // hertz + (header[2] >> 1 & 1))


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _skip_tags(stream: BinaryIO) -> bool:
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
    following = head[10:] if head[:3] == b"3DI" else head  # a tag may have a footer, or be padded with zeros
    return head[:4] == b"fLaC" or _is_mpeg(following.lstrip(b"\0"))


def is_truncated(path: Path | str) -> bool:
    """Whether a file ends before its container says, as after an interrupted download or on a full disk.

    WAV, RF64, W64, AIFF and AU: the samples are announced to be longer than the rest of the file. Ogg (RFC 3533): the
    last page is incomplete or not marked as the end of the stream. Other formats show truncation only when decoded, so
    they return False. Reads a few kilobytes.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        magic, _, form = (stream.read(4) for _ in range(3))
        if magic in _WAV_MAGICS:
            return form == b"WAVE" and _chunks_are_truncated(
                stream, size, b"data", "big" if magic == b"RIFX" else "little"
            )
        if magic == b"FORM":
            return form[:3] == b"AIF" and _chunks_are_truncated(stream, size, b"SSND", "big")
        if magic == b"riff":
            return _w64_is_truncated(stream, size)
        if magic in (b".snd", b"dns."):
            return _au_is_truncated(stream, size, "big" if magic == b".snd" else "little")
        return magic == b"OggS" and _ogg_is_truncated(stream, size)


def _chunks_are_truncated(stream: BinaryIO, size: int, samples: bytes, order: Literal["big", "little"]) -> bool:
    """Whether the chunk of samples of a WAV or AIFF is longer than the file, or missing."""
    long_length = 0  # of RF64, whose chunk of samples has a length of 8 bytes in another chunk (EBU Tech 3306)
    for _ in range(_MAX_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            return True
        length = int.from_bytes(head[4:], order)
        if head[:4] == samples:
            length = long_length if long_length and length == _UNKNOWN else length
            return not _is_open(length) and stream.tell() + length > size
        if head[:4] == b"ds64":
            content = stream.read(16)
            long_length = int.from_bytes(content[8:], order)
            length -= len(content)
        stream.seek(length + length % 2, os.SEEK_CUR)
    return False


def _is_open(length: int) -> bool:
    """Whether a length stands for an unknown one, in a file that was written to a pipe.

    FFmpeg writes (nearly) the largest 32-bit number, SoX a whole number of frames below 0x7FFFF000, arecord 0x80000000.
    """
    return _UNKNOWN - 0xFF <= length <= _UNKNOWN or 0x7FFF0000 <= length <= 0x80000000 or length >= 1 << 62


def _w64_is_truncated(stream: BinaryIO, size: int) -> bool:
    position = 40
    for _ in range(_MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(24)
        if len(head) < 24:
            return True
        length = int.from_bytes(head[16:], "little")  # the head included
        if head[:16] == _W64_DATA_GUID:
            return not _is_open(length) and position + length > size
        position += max(24, length + -length % 8)
        if position >= 1 << 62:
            return True
    return False


def _au_is_truncated(stream: BinaryIO, size: int, order: Literal["big", "little"]) -> bool:
    stream.seek(4)
    head = stream.read(8)
    offset, length = int.from_bytes(head[:4], order), int.from_bytes(head[4:], order)
    return not _is_open(length) and offset + length > size


def _ogg_is_truncated(stream: BinaryIO, size: int) -> bool:
    stream.seek(max(0, size - _TAIL_BYTES))
    end = stream.read()
    page = end.rfind(b"OggS")
    if page < 0 or page + 27 > len(end):
        return True
    segments = end[page + 27 : page + 27 + end[page + 26]]
    complete = len(segments) == end[page + 26] and page + 27 + len(segments) + sum(segments) <= len(end)
    return not (complete and end[page + 5] & 4)
