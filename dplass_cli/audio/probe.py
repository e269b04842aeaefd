"""What a container's own bytes tell: what a decoder passes over in silence, and what it had better not see."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

_LAST_BYTES = 1 << 17  # an Ogg page has at most 65,307 bytes
_OPEN_LENGTH = 0xFFFFFF00  # writers to a pipe leave the length of the samples at its largest
_HEAD, _MOST_TAGS, _MOST_CHUNKS = 1 << 18, 8, 1000
_IMA_ADPCM = (b"\x11\x00", b"\x00\x11")  # in either order of bytes
_WAVS = (b"RIFF", b"RIFX", b"RF64")
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_KBPS = {  # of MPEG's layer III: of version 1, and of 2 and 2.5 (ISO 11172-3, 2.4.2.3; ISO 13818-3, 2.4.2.3)
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def is_common(path: Path | str) -> bool:
    """Tell by its first bytes whether a file is WAV, FLAC, Ogg, AIFF or MP3, whatever its name says."""
    with open(path, "rb") as stream:
        tagged = _skip_tags(stream)
        head = stream.read(_HEAD)
    if tagged:
        return _may_follow_tags(head)
    if head[:4] in _WAVS:
        return head[8:12] == b"WAVE"
    return head[:4] in (b"fLaC", b"OggS") or _is_mpeg(head) or (head[:4] == b"FORM" and head[8:11] == b"AIF")


def unsafe_reason(path: Path | str) -> str | None:
    """Why a file had better not be opened, or None: a WAV of any kind that is in IMA ADPCM or may be.

    libsndfile up to 1.2.2 counts the samples of IMA ADPCM in too few bits and writes beyond its memory
    (CVE-2026-37555); that happens as soon as the file is opened. It skips ID3 tags, so that only MP3 and FLAC are let
    stand behind them.
    """
    with open(path, "rb") as stream:
        tagged = _skip_tags(stream)
        head = stream.read(_HEAD)
        if tagged:
            return None if _may_follow_tags(head) else "holds neither MP3 nor FLAC behind its ID3 tags"
        formats = None
        if head[:4] in _WAVS:
            formats = _wav_formats(stream, "big" if head[:4] == b"RIFX" else "little")
        elif head[:4] == b"riff":
            formats = _w64_formats(stream)
    if formats is None:
        return None
    ahead = 24 if head[:4] == b"riff" else 8  # from the name of a chunk to what it holds; seen by who reads otherwise
    formats += [head[found.start() + ahead : found.start() + ahead + 2] for found in re.finditer(b"fmt ", head)]
    if not formats[0] or any(kind in _IMA_ADPCM for kind in formats):
        return "is a WAV in IMA ADPCM, or does not say in what"
    return None


def _wav_formats(stream: BinaryIO, order: Literal["big", "little"]) -> list[bytes]:
    """The first bytes of the first ``fmt`` chunk before the samples; empty where there is none."""
    stream.seek(12)
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        if head[:4] == b"fmt ":
            return [stream.read(2)]
        if len(head) < 8 or head[:4] == b"data":
            break
        length = int.from_bytes(head[4:], order)
        stream.seek(length + length % 2, os.SEEK_CUR)
    return [b""]


def _w64_formats(stream: BinaryIO) -> list[bytes]:
    """The same of a W64, whose chunks have names of 16 bytes and lengths of 8, and of whose formats the last counts."""
    found: list[bytes] = []
    place = 40
    for _ in range(_MOST_CHUNKS):
        stream.seek(place)
        head = stream.read(26)
        if len(head) < 24 or head[:16] == _W64_DATA:
            return found or [b""]
        if head[:4] == b"fmt ":
            found.append(head[24:])
        length = int.from_bytes(head[16:24], "little")
        place += max(24, length + -length % 8)
        if place >= 1 << 62:
            break
    return [b""]


def mp3_samples(path: Path | str) -> int | None:
    """How many samples a channel an MP3 without an index has, by its size and its rate; None for all else.

    Decoders guess this length, by the rate of the first frame, and libsndfile reads no further than that: 0 where the
    rate is not the same in all frames, so that the guess is worth nothing.
    """
    with open(path, "rb") as stream:
        _skip_tags(stream)
        start = stream.tell()
        head = stream.read(_HEAD)
        stream.seek(-min(128, stream.seek(0, os.SEEK_END)), os.SEEK_END)
        end = stream.tell() if stream.read(3) == b"TAG" else stream.seek(0, os.SEEK_END)
    frame = _mpeg_frame(head[:4])
    if frame is None or any(name in head[: frame.length] for name in (b"Xing", b"Info", b"VBRI")):
        return None
    at = 0
    while following := _mpeg_frame(head[at : at + 4]):
        if following.kbps != frame.kbps:
            return 0
        at += following.length
    count = (end - start) * frame.rate / (frame.kbps * 125) / frame.samples
    return round(count) * frame.samples


class _Frame(NamedTuple):
    """A frame of MPEG's layer III: its bit rate, samples a second, samples a channel, and bytes."""

    kbps: int
    rate: int
    samples: int
    length: int


def _mpeg_frame(header: bytes) -> _Frame | None:
    """The frame that begins with these four bytes, if one does."""
    if len(header) < 4 or not _is_mpeg(header) or header[1] >> 1 & 3 != 1:
        return None
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version not in _MPEG_RATES or rate == 3 or kbps in (0, 15):
        return None
    hertz, bits, samples = _MPEG_RATES[version][rate], _KBPS[version == 3][kbps], 1152 if version == 3 else 576
    return _Frame(bits, hertz, samples, samples * bits * 125 // hertz + (header[2] >> 1 & 1))


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _skip_tags(stream: BinaryIO) -> bool:
    """Go behind the ID3 tags of a file, and tell whether there are any; to its end where they are not plain."""
    for tags in range(_MOST_TAGS):
        place = stream.tell()
        start = stream.read(10)
        if len(start) < 10 or start[:3] != b"ID3":
            stream.seek(place)
            return tags > 0
        high, middle, low, lowest = (byte & 0x7F for byte in start[6:])
        length = high << 21 | middle << 14 | low << 7 | lowest
        if length < 2:  # libsndfile has read on by then
            break
        stream.seek(length, os.SEEK_CUR)
    stream.seek(0, os.SEEK_END)
    return True


def _may_follow_tags(head: bytes) -> bool:
    behind = head[10:] if head[:3] == b"3DI" else head  # a tag may have a footer, or zeros behind it
    return head[:4] == b"fLaC" or _is_mpeg(behind.lstrip(b"\0"))


def is_cut(path: Path | str) -> bool:
    """Tell whether a wav or Ogg file ends before its container says: a download that broke off, a disk that was full.

    Reads a few kilobytes. Other formats tell only when they are decoded: False.

    WAV: the RIFF ``data`` chunk is longer than what follows. Ogg (RFC 3533): the last page is not whole, or not marked
    as the end of its stream.
    """
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        magic = stream.read(4)
        if magic == b"RIFF":
            return _riff_is_cut(stream, size)
        return magic == b"OggS" and _ogg_is_cut(stream, size)


def _riff_is_cut(stream: BinaryIO, size: int) -> bool:
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            return length < _OPEN_LENGTH and stream.tell() + length > size
        stream.seek(length + length % 2, os.SEEK_CUR)
    return True


def _ogg_is_cut(stream: BinaryIO, size: int) -> bool:
    stream.seek(max(0, size - _LAST_BYTES))
    end = stream.read()
    page = end.rfind(b"OggS")
    if page < 0 or page + 27 > len(end):
        return True
    segments = end[page + 27 : page + 27 + end[page + 26]]
    whole = len(segments) == end[page + 26] and page + 27 + len(segments) + sum(segments) <= len(end)
    return not (whole and end[page + 5] & 4)
