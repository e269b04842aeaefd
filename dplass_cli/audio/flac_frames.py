"""FLAC files that were joined (RFC 9639): where each begins, found without decoding and mostly without reading them."""

from __future__ import annotations

import itertools
import mmap
import os
import re
from typing import BinaryIO

from dplass_cli.audio.parts import FilePart

_BEGIN = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # the marker and the header of the first block, STREAMINFO
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_SEARCHED_WHOLE = 1 << 20  # bytes of a file that is searched without looking at its frames first
_NEAR = 1 << 16  # bytes in which a frame is expected to begin
_PROBES = (0.15, 0.31, 0.44, 0.62, 0.83)  # shares of a file; uneven, so that joined files of one length are noticed
_LONGEST_HEADER = 16
_TOTAL, _LENGTHS = slice(18, 26), 1 << 36  # rate, channels, bits and, in the lowest 36 bits, samples (section 8.2)


def joined_flac(stream: BinaryIO, start: int) -> list[FilePart]:
    """The FLAC files in a file that follow each other; an empty list if there is only one.

    Args:
        stream: the file.
        start: the byte at which the first begins.
    """
    size = os.fstat(stream.fileno()).st_size
    if size > _SEARCHED_WHOLE and not _may_be_joined(stream, start, size):
        return []
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        starts = [start, *(found.start() for found in _BEGIN.finditer(data, start + 4))]
    if len(starts) == 1:
        return []
    return [_part(stream, first, stop) for first, stop in zip(starts, [*starts[1:], size], strict=True)]


def _part(stream: BinaryIO, start: int, stop: int) -> FilePart:
    """A file of several. Where its length was never written, it is that of its frames."""
    stream.seek(start)
    head = stream.read(_TOTAL.stop)
    numbers = int.from_bytes(head[_TOTAL], "big")
    if numbers % _LENGTHS or len(head) < _TOTAL.stop:
        return FilePart(start, stop)
    frames = _frames_near(stream, max(start, stop - _NEAR), int.from_bytes(head[10:12], "big"), stop)
    ends = {first + samples for first, samples in frames}
    # What looks like a header inside a frame follows on no other frame.
    total = next((first + samples for first, samples in reversed(frames) if first in ends or len(frames) == 1), 0)
    return FilePart(start + len(head), stop, head[: _TOTAL.start] + (numbers + total).to_bytes(8, "big"))


def _may_be_joined(stream: BinaryIO, start: int, size: int) -> bool:
    """Whether the last frame is not the one that the header announces, or frames do not count up."""
    stream.seek(start)
    head = stream.read(42)
    block, total = int.from_bytes(head[10:12], "big"), int.from_bytes(head[_TOTAL], "big") % _LENGTHS
    positions = [start + round(share * (size - start)) for share in _PROBES]
    firsts = [_frames_near(stream, position, block)[:1] for position in positions]
    numbers = [number for first in firsts for number, _ in first]
    last = _frames_near(stream, max(start, size - _NEAR), block)[-1:]
    counts_up = len(numbers) == len(_PROBES) and all(a < b for a, b in itertools.pairwise(numbers))
    return not (counts_up and last and sum(last[0]) == total)


def _frames_near(stream: BinaryIO, position: int, block: int, stop: int | None = None) -> list[tuple[int, int]]:
    """(First sample, samples) of the frames that begin within 64 KiB behind a byte, and before another."""
    stream.seek(position)
    data = stream.read(_NEAR + _LONGEST_HEADER if stop is None else min(stop - position, _NEAR)) + bytes(
        _LONGEST_HEADER
    )
    found = (_frame(data[place.start() : place.start() + _LONGEST_HEADER], block) for place in _SYNC.finditer(data))
    return [frame for frame in found if frame is not None]


def _frame(header: bytes, block: int) -> tuple[int, int] | None:
    """(First sample, samples) of a frame; None if the bytes are not its header (section 9.1)."""
    if len(header) < _LONGEST_HEADER or header[3] & 1:
        return None
    more = 0 if header[4] < 0x80 else 8 - (header[4] ^ 0xFF).bit_length() - 1  # bytes of the number behind its first
    if header[4] >= 0x80 and not 1 <= more <= 6:
        return None
    number = header[4] if more == 0 else header[4] & (0x3F >> more)
    for byte in header[5 : 5 + more]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    end, code, rate = 5 + more, header[2] >> 4, header[2] & 0xF
    if code in (6, 7):
        samples = 1 + int.from_bytes(header[end : end + code - 5], "big")
        end += code - 5
    else:
        samples = 192 if code == 1 else 576 << (code - 2) if 2 <= code <= 5 else 256 << (code - 8) if code >= 8 else 0
    end += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if samples == 0 or rate == 15 or _crc8(header[:end]) != header[end]:
        return None
    return (number if header[1] & 1 else number * block), samples


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value
