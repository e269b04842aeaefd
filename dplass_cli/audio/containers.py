"""Containers that were cut: what a decoder passes over in silence, since it plays what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_LAST_BYTES = 1 << 17  # an Ogg page has at most 65,307 bytes
_OPEN_LENGTH = 0xFFFFFF00  # writers to a pipe leave the length of the samples at its largest


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
