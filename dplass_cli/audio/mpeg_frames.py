"""The frames of MP3 files: their number, and where joined files, indexes and tags lie between them."""

from __future__ import annotations

import mmap
import re
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from dplass_cli.audio.parts import FilePart

# Bit rates in kbit/s by layer, for version 1, and for versions 2 and 2.5 (ISO 11172-3 and 13818-3, section 2.4.2.3).
_KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz, by the version bits
_SAMPLES = {(True, 1): 384, (True, 2): 1152, (True, 3): 1152, (False, 1): 384, (False, 2): 1152, (False, 3): 576}
_MONO = 3  # the channel mode of mono files
_TAG_BYTES, _APE_BYTES = 128, 32
_INDEX_BYTES = 16  # its name, flags, frames and bytes
_HAS_FRAMES, _HAS_BYTES = 1, 2  # flags of an index


_CANDIDATES = re.compile(rb"\xff(?=[\xe0-\xff])|ID3|APETAGEX")
"""Where a frame or a tag may begin."""


class MpegFrame(NamedTuple):
    """The header of a frame.

    Attributes:
        layer: 1, 2 or 3.
        rate: Hz.
        samples: per channel.
        length: bytes, header included.
        index_at: place of an index from the start of the frame, behind its empty side information.
    """

    layer: int
    rate: int
    samples: int
    length: int
    index_at: int


class _MpegIndex(NamedTuple):
    """The index in the first frame of an MP3: how many frames and bytes follow; None where it does not say."""

    frames: int | None
    bytes: int | None


def mpeg_parts(stream: BinaryIO, start: int) -> list[FilePart]:
    """The streams of an MP3 file; an empty list if it is one stream whose index is right, or no stream is found.

    Args:
        stream: the file.
        start: the byte after its ID3 tags.
    """
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size = len(data)
        end = size - _TAG_BYTES if data[max(0, size - _TAG_BYTES) :][:3] == b"TAG" else size
        frame = parse_header(data[start : start + 4])
        index = None if frame is None else _index(data, start, frame)
        if frame is None or (index is not None and index.frames and index.bytes == end - start):
            return []
        parts: list[FilePart] = []
        position = start
        while position < end:
            after = _after_tag(data, position) or _next_stream(data, position, end)
            if after != position:
                position = after
                continue
            part = _part(data, position, end)
            parts.append(part)
            position = part.stop
    if len(parts) == 1 and not parts[0].header and parts[0].frames is None:
        return []
    return parts


def _part(data: mmap.mmap, start: int, end: int) -> FilePart:
    """The stream of equal frames that begins at a byte; it ends before the next index or tag."""
    frame = parse_header(data[start : start + 4])
    assert frame is not None
    index, lengths, kind = _index(data, start, frame), _lengths(), _kind(data, start)
    first = position = start + frame.length if index else start
    count = 0
    while position + 4 <= end and data[position] == 0xFF and _kind(data, position) == kind:
        length = lengths[data[position + 1] << 8 | data[position + 2]]
        if not length or position + length > end:
            break
        place = position + frame.index_at
        if frame.layer == 3 and count and data[place : place + 4] in (b"Xing", b"Info"):
            break
        position += length
        count += 1
    if index is not None and index.frames is not None and index.frames >= count:
        return FilePart(start, position)  # if frames are missing, decoding it says so
    if frame.layer != 3:
        return FilePart(first, position, frames=count * frame.samples)
    return FilePart(first, position, _index_frame(data[start : start + 4], count, position - first))


def parse_header(header: bytes) -> MpegFrame | None:
    """Parse the four bytes of a frame header; None if they are not one, or its bit rate is free."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer, rate, kbps = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3), header[2] >> 2 & 3, header[2] >> 4
    if version not in _RATES or layer == 4 or rate == 3 or kbps in (0, 15):
        return None
    hertz, kind, padding = _RATES[version][rate], (version == 3, layer), header[2] >> 1 & 1
    bits, samples = _KBPS[kind][kbps] * 1000, _SAMPLES[kind]
    length = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz + padding
    mono = header[3] >> 6 == _MONO
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return MpegFrame(layer, hertz, samples, length, 4 + side)


@lru_cache(maxsize=1)
def _lengths() -> list[int]:
    """The length of a frame by the second and third byte of its header; 0 if they are not of a frame."""
    frames = (parse_header(bytes((0xFF, key >> 8, key & 0xFF, 0))) for key in range(1 << 16))
    return [0 if frame is None else frame.length for frame in frames]


def _kind(data: mmap.mmap, position: int) -> tuple[int, int, bool]:
    """What all frames of a stream have in common: version and layer, rate, and whether it is mono."""
    return data[position + 1] & 0xFE, data[position + 2] & 0x0C, data[position + 3] >> 6 == _MONO


def _index(data: mmap.mmap, position: int, frame: MpegFrame) -> _MpegIndex | None:
    """The index in a frame; None if it has none."""
    content = data[position : position + frame.length]
    if content[36:40] == b"VBRI":
        return _MpegIndex(int.from_bytes(content[50:54], "big"), int.from_bytes(content[46:50], "big"))
    if content[frame.index_at : frame.index_at + 4] not in (b"Xing", b"Info"):
        return None
    flags, values = content[frame.index_at + 7], [content[frame.index_at + at :][:4] for at in (8, 12)]
    frames = int.from_bytes(values.pop(0), "big") if flags & _HAS_FRAMES else None
    return _MpegIndex(frames, int.from_bytes(values[0], "big") if flags & _HAS_BYTES else None)


def _index_frame(header: bytes, frames: int, length: int) -> bytes:
    """A frame with an index, for a stream that has none: decoders would estimate its length from its first frame."""
    for kbps in range(1, 15):
        head = bytes((0xFF, header[1] | 1, kbps << 4 | header[2] & 0x0C, header[3]))
        frame = parse_header(head)
        if frame is not None and frame.length >= frame.index_at + _INDEX_BYTES:
            break
    else:  # the highest bit rate has more than enough room at any sample rate
        raise AssertionError(header)
    numbers = (_HAS_FRAMES | _HAS_BYTES, frames, length + frame.length)
    index = b"Xing" + b"".join(number.to_bytes(4, "big") for number in numbers)
    return (head.ljust(frame.index_at, b"\0") + index).ljust(frame.length, b"\0")


def _after_tag(data: mmap.mmap, position: int) -> int | None:
    """The byte after a tag (ID3, or APE with its pictures); None if there is no tag."""
    head = data[position : position + _APE_BYTES]
    if head[:3] == b"ID3" and len(head) >= 10:
        high, middle, low, lowest = (byte & 0x7F for byte in head[6:10])
        footer = 10 if head[5] & 0x10 else 0
        return position + 10 + (high << 21 | middle << 14 | low << 7 | lowest) + footer
    if head[:3] == b"TAG":
        return position + _TAG_BYTES
    if head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        content = int.from_bytes(head[12:16], "little")  # its footer included
        return position + _APE_BYTES + (content if head[23] & 0x20 else 0)
    return None


def _next_stream(data: mmap.mmap, position: int, end: int) -> int:
    """The first byte of a frame that another one, a tag or the end follows, or of a tag; ``end`` if there is none.

    A single header is no proof: pictures and other tags contain such bytes too.
    """
    for candidate in _CANDIDATES.finditer(data, position, end):
        place = candidate.start()
        frame = parse_header(data[place : place + 4])
        if frame is not None and _is_confirmed(data, place, place + frame.length, end):
            return place
        if _after_tag(data, place) is not None:
            return place
    return end


def _is_confirmed(data: mmap.mmap, position: int, following: int, end: int) -> bool:
    if following >= end:
        return following == end
    if _after_tag(data, following) is not None:
        return True
    next_frame = parse_header(data[following : following + 4])
    return next_frame is not None and _kind(data, position) == _kind(data, following)
