"""What a container's own bytes tell: what a decoder passes over in silence, and what it had better not see."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

_LAST_BYTES = 1 << 17  # an Ogg page has at most 65,307 bytes
_OPEN_LENGTH = 0xFFFFFF00  # writers to a pipe leave the length of the samples at its largest
_HEAD = 1 << 20
_IMA_ADPCM = (b"\x11\x00", b"\x00\x11")  # in either order of bytes
_COMMON = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3")


def is_common(path: Path | str) -> bool:
    """Tell by its first bytes whether a file is WAV, FLAC, Ogg, AIFF or MP3, whatever its name says."""
    with open(path, "rb") as stream:
        head = stream.read(4)
    return head.startswith(_COMMON) or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0)


def is_ima_adpcm(path: Path | str) -> bool:
    """Tell whether a WAV of any kind says in its first megabyte that it is IMA ADPCM, or nothing of its format.

    libsndfile up to 1.2.2 counts the samples of such a file in too few bits and writes beyond its memory
    (CVE-2026-37555); that happens as soon as it is opened.
    """
    with open(path, "rb") as stream:
        head = stream.read(_HEAD)
    if head[:4] not in (b"RIFF", b"RIFX", b"RF64", b"riff"):
        return False
    ahead = 24 if head[:4] == b"riff" else 8  # from the name of a chunk to what it holds
    places = [found.start() + ahead for found in re.finditer(b"fmt ", head)]
    return not places or any(head[at : at + 2] in _IMA_ADPCM for at in places)


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
