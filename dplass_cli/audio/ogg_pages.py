"""The pages of Ogg files (RFC 3533): where joined streams begin, and whether the last one is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dplass_cli.audio.parts import FilePart

_MAGIC, _HEAD_BYTES = b"OggS", 27
_LARGEST_PAGE = 65_307  # bytes
_FIRST, _LAST = 2, 4  # flags of a page: the first and the last of a stream


class OggPage(NamedTuple):
    """The header of a page.

    Attributes:
        start: its first byte.
        flags: its type.
        serial: the stream it belongs to.
        stop: the byte after its last, if the file is complete.
    """

    start: int
    flags: int
    serial: bytes
    stop: int


def joined_ogg(stream: BinaryIO) -> list[FilePart]:
    """The streams of an Ogg file that follow each other; an empty list if there is only one.

    The pages are walked only if the last page belongs to another stream than the first.
    """
    size = os.fstat(stream.fileno()).st_size
    first, last = _page(stream, 0), last_page(stream)
    if first is None or last is None or first.serial == last.serial:
        return []
    starts, before = [0], first
    for page in _pages(stream, first.stop):
        if page.flags & _FIRST and not before.flags & _FIRST:
            starts.append(page.start)
        before = page
    stops = [*starts[1:], size]
    return [FilePart(start, stop) for start, stop in zip(starts, stops, strict=True)] if len(starts) > 1 else []


def has_several_streams(stream: BinaryIO) -> bool:
    """Whether a file has several streams at the same time, as videos have."""
    first = _page(stream, 0)
    second = None if first is None else _page(stream, first.stop)
    return second is not None and second.flags & _FIRST != 0


def ogg_is_truncated(stream: BinaryIO) -> bool:
    """Whether the last page is incomplete, or not marked as the end of its stream."""
    page = last_page(stream)
    return page is None or page.stop > os.fstat(stream.fileno()).st_size or not page.flags & _LAST


def last_page(stream: BinaryIO) -> OggPage | None:
    """The last page whose header is complete."""
    size = os.fstat(stream.fileno()).st_size
    begin = max(0, size - 2 * _LARGEST_PAGE)
    stream.seek(begin)
    place = stream.read().rfind(_MAGIC)
    return None if place < 0 else _page(stream, begin + place)


def _pages(stream: BinaryIO, start: int) -> Iterator[OggPage]:
    """The pages from a byte on; what is between them is skipped."""
    while True:
        page = _page(stream, start)
        if page is None:
            stream.seek(start)
            place = stream.read(2 * _LARGEST_PAGE).find(_MAGIC, 1)
            if place < 0:
                return
            start += place
            continue
        yield page
        start = page.stop


def _page(stream: BinaryIO, start: int) -> OggPage | None:
    stream.seek(start)
    head = stream.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or head[:4] != _MAGIC:
        return None
    lengths = stream.read(head[26])
    if len(lengths) < head[26]:
        return None
    return OggPage(start, head[5], head[14:18], start + _HEAD_BYTES + len(lengths) + sum(lengths))
