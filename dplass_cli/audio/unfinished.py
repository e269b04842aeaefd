"""Files whose header was never finished, as after a crash, or cannot hold their length: it is rewritten in memory.

Recorders write the length last. A WAV has 32 bits for it, which wrap around at 4 GB.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

from dplass_cli.audio.parts import FilePart

UNKNOWN = 0xFFFFFFFF  # instead of a length: it is unknown, or does not fit into 32 bits
LONG_WAVS = (b"RF64", b"BW64")
WAV_MAGICS = (b"RIFF", b"RIFX", *LONG_WAVS)
MAX_CHUNKS = 1000
_MAX_FORMAT_BYTES = 1 << 16
_WRAP = 1 << 32
_WAV_BEGIN = re.compile(rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE(?:fmt |ds64|JUNK|bext|LIST)", re.DOTALL)
_FLAC_LENGTH = slice(18, 26)  # rate, channels, bits and, in the lowest 36 bits, samples (RFC 9639, section 8.2)


class WavLayout(NamedTuple):
    """Where a WAV has its samples.

    Attributes:
        format: the content of the chunk ``fmt ``; empty if there is none.
        start: the first byte of the samples.
        length: their bytes, as the header says.
        begin: the first byte of the file; not 0 in joined ones.
    """

    format: bytes
    start: int
    length: int
    begin: int = 0


def is_open_length(length: int) -> bool:
    """Whether a length stands for an unknown one, in a file that was written to a pipe.

    FFmpeg writes (nearly) the largest 32-bit number, SoX a whole number of frames below 0x7FFFF000, arecord 0x80000000.
    """
    return UNKNOWN - 0xFF <= length <= UNKNOWN or 0x7FFF0000 <= length <= 0x80000000 or length >= 1 << 62


def joined_wavs(stream: BinaryIO) -> list[WavLayout]:
    """The layouts of WAV files that follow each other; an empty list if there is only one.

    A length that was never written is replaced where another file follows.
    """
    layouts: list[WavLayout] = []
    start: int | None = 0
    while start is not None and (layout := wav_layout(stream, start)) is not None:
        if layout.length == 0 or is_open_length(layout.length):
            start = _searched_wav(stream, layout.start)
            layout = layout if start is None else layout._replace(length=start - layout.start)
        else:
            start = _next_wav(stream, layout.start + layout.length)
        layouts.append(layout)
    return layouts if len(layouts) > 1 else []


def _searched_wav(stream: BinaryIO, start: int) -> int | None:
    """The first byte of a WAV behind samples whose length is unknown."""
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _WAV_BEGIN.search(data, start)
    return None if found is None else found.start()


def _next_wav(stream: BinaryIO, start: int) -> int | None:
    """The byte at which another WAV begins behind the chunks from a byte on."""
    size = os.fstat(stream.fileno()).st_size
    for _ in range(MAX_CHUNKS):
        start += start % 2
        if start >= size:  # the length of an RF64 may be more than can be sought to
            return None
        stream.seek(start)
        head = stream.read(12)
        if len(head) < 12:
            return None
        if head[:4] in WAV_MAGICS and head[8:] == b"WAVE":
            return start
        start += 8 + int.from_bytes(head[4:8], "little")
    return None


class WavChunk(NamedTuple):
    """A chunk of a WAV.

    Attributes:
        name: four bytes.
        start: where its content begins.
        length: of the content in bytes, as the header says; it may reach beyond the file.
    """

    name: bytes
    start: int
    length: int


def wav_chunks(stream: BinaryIO, begin: int = 0) -> Iterator[WavChunk]:
    """Walk the chunks of a WAV or RF64 that begins at a byte; the stream may be read in between."""
    stream.seek(begin)
    magic = stream.read(12)[:4]
    order: Literal["big", "little"] = "big" if magic == b"RIFX" else "little"
    position, long_length = begin + 12, 0
    for _ in range(MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return
        name, length = head[:4], int.from_bytes(head[4:], order)
        if name == b"ds64":  # EBU Tech 3306: RF64 has the length of its samples here, in 8 bytes
            long_length = int.from_bytes(stream.read(16)[8:], order)
        if name == b"data" and magic in LONG_WAVS and length == UNKNOWN:
            length = long_length
        yield WavChunk(name, position + 8, length)
        position += 8 + length + length % 2


def wav_layout(stream: BinaryIO, begin: int = 0) -> WavLayout | None:
    """Find the samples of a WAV or RF64 that begins at a byte; None if there are none."""
    form = b""
    for chunk in wav_chunks(stream, begin):
        if chunk.name == b"data":
            return WavLayout(form, chunk.start, chunk.length, begin)
        if chunk.name == b"fmt " and not form:  # the first one: the one that is checked to be safe
            stream.seek(chunk.start)
            form = stream.read(min(chunk.length, _MAX_FORMAT_BYTES))
    return None


def rewritten_wav(stream: BinaryIO, begin: int = 0) -> tuple[FilePart, bool] | None:
    """A WAV with its true length, and whether its own header was never finished; None if its header is right.

    The WAV begins at a byte and is the last one in the file.
    """
    size = os.fstat(stream.fileno()).st_size
    layout = wav_layout(stream, begin)
    if layout is None or len(layout.format) < 16:
        return None
    stream.seek(begin)
    magic, available, length = stream.read(4), size - layout.start, layout.length
    unfinished = length == 0 and available > 0 and not _are_chunks(stream, layout.start, size)
    if unfinished or (is_open_length(length) and (available > UNKNOWN or length >= 1 << 62)):
        length = available
    elif magic not in LONG_WAVS and available - length >= _WRAP:
        length += (available - length) // _WRAP * _WRAP
    elif magic != b"BW64":
        return None
    return wav_part(stream, layout._replace(length=length)), unfinished


def wav_part(stream: BinaryIO, layout: WavLayout) -> FilePart:
    """The samples of a WAV, with a header of its format and their length and nothing else."""
    stream.seek(layout.begin)
    magic = stream.read(4)
    order: Literal["big", "little"] = "big" if magic == b"RIFX" else "little"
    frame = max(1, int.from_bytes(layout.format[12:14], order))
    stop = min(os.fstat(stream.fileno()).st_size, layout.start + layout.length)
    stop -= (stop - layout.start) % frame
    return FilePart(layout.start, stop, _wav_header(magic, layout.format, stop - layout.start, order))


def _wav_header(magic: bytes, form: bytes, length: int, order: Literal["big", "little"]) -> bytes:
    def number(value: int, count: int = 4) -> bytes:
        return value.to_bytes(count, order)

    chunk = b"fmt " + number(len(form)) + form + bytes(len(form) % 2)
    if length + len(chunk) + 100 < UNKNOWN:
        magic = b"RIFX" if magic == b"RIFX" else b"RIFF"
        return magic + number(length + len(chunk) + 12) + b"WAVE" + chunk + b"data" + number(length)
    sizes = number(length + len(chunk) + 48, 8) + number(length, 8) + bytes(12)
    return b"RF64" + number(UNKNOWN) + b"WAVEds64" + number(28) + sizes + chunk + b"data" + number(UNKNOWN)


def _are_chunks(stream: BinaryIO, start: int, size: int) -> bool:
    """Whether the file from a byte on consists of chunks: a recording without samples has others behind them."""
    for _ in range(MAX_CHUNKS):
        if start == size:
            return True
        stream.seek(start)
        head = stream.read(8)
        if len(head) < 8 or not all(32 <= byte < 127 for byte in head[:4]):
            return False
        length = int.from_bytes(head[4:], "little")
        start += 8 + length + length % 2
    return False


def rewritten_au(stream: BinaryIO) -> FilePart | None:
    """An AU file whose length was never written, with an unknown one, up to which decoders read the whole file."""
    size = os.fstat(stream.fileno()).st_size
    stream.seek(0)
    head = stream.read(24)
    start = int.from_bytes(head[4:8], "big" if head[:4] == b".snd" else "little")
    if len(head) < 24 or head[8:12] != bytes(4) or not 24 <= start < size:
        return None
    return FilePart(24, size, head[:8] + b"\xff" * 4 + head[12:])


def rewritten_caf(stream: BinaryIO) -> tuple[FilePart, bool] | None:
    """A CAF file whose last chunk has an open length (-1), which Apple allows, or none; None if its header is right."""
    size, start = os.fstat(stream.fileno()).st_size, 8
    for _ in range(MAX_CHUNKS):
        stream.seek(start)
        head = stream.read(12)
        if len(head) < 12:
            return None
        length = int.from_bytes(head[4:], "big", signed=True)
        if head[:4] == b"data":
            break
        start += 12 + max(0, length)
    else:
        return None
    if length not in (-1, 0) or start + 16 >= size:  # the data begin with a counter of 4 bytes
        return None
    stream.seek(0)
    header = stream.read(start + 4) + (size - start - 12).to_bytes(8, "big")
    return FilePart(start + 12, size, header), length != -1


def has_open_flac_length(head: bytes) -> bool:
    """Whether a FLAC file does not say its length, as when it was written to a pipe; ``head`` begins with ``fLaC``."""
    return head[:4] == b"fLaC" and len(head) >= 42 and int.from_bytes(head[_FLAC_LENGTH], "big") % (1 << 36) == 0
