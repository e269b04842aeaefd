"""What a container's own bytes tell: what a decoder passes over in silence, and what it had better not see."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_LAST_BYTES = 1 << 17  # an Ogg page has at most 65,307 bytes
_OPEN_LENGTH = 0xFFFFFF00  # writers to a pipe leave the length of the samples at its largest
_HEAD, _MOST_TAGS = 1 << 18, 8
_IMA_ADPCM = (b"\x11\x00", b"\x00\x11")  # in either order of bytes
_FORMS = {b"RIFF": (b"WAVE",), b"RIFX": (b"WAVE",), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
# What may stand before a WAV's format: chunks that a reader only steps over.
_STEPPED_OVER = (b"JUNK", b"junk", b"PAD ", b"FLLR", b"bext", b"ds64", b"iXML", b"minf", b"_PMX", b"umid")
_KBPS = {  # of MPEG's layer III: of version 1, and of 2 and 2.5 (ISO 11172-3, 2.4.2.3; ISO 13818-3, 2.4.2.3)
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def is_common(path: Path | str) -> bool:
    """Tell by its first bytes whether a file is WAV, FLAC, Ogg, AIFF or MP3, whatever its name says."""
    head, tagged = _beginning(path)
    if head[:4] in _FORMS:
        return not tagged and head[8:12] in _FORMS[head[:4]]
    return head[:4] == b"fLaC" or (head[:4] == b"OggS" and not tagged) or _is_mpeg(head)


def is_doubtful(path: Path | str) -> bool:
    """Tell whether a file is a WAV of any kind in IMA ADPCM, or one whose format is not plain to see.

    libsndfile up to 1.2.2 counts the samples of IMA ADPCM in too few bits and writes beyond its memory
    (CVE-2026-37555); that happens as soon as the file is opened. Plain to see is a format in the first bytes, behind
    nothing but chunks that are stepped over; ID3 tags, which libsndfile skips, stand before MP3 and FLAC alone.
    """
    head, tagged = _beginning(path)
    if tagged:
        return not (head[:4] == b"fLaC" or _is_mpeg(head))
    if head[:4] == b"riff":  # W64, whose chunks have long names: in an ordinary file the format is the first
        return head[40:44] != b"fmt " or head[64:66] in _IMA_ADPCM
    if head[:4] not in _FORMS or head[:4] == b"FORM":
        return False
    at = 12
    while head[at : at + 4] in _STEPPED_OVER:
        length = int.from_bytes(head[at + 4 : at + 8], "big" if head[:4] == b"RIFX" else "little")
        at += 8 + length + length % 2
    return head[at : at + 4] != b"fmt " or len(head) < at + 10 or head[at + 8 : at + 10] in _IMA_ADPCM


def is_of_unknown_length(path: Path | str) -> bool:
    """Tell whether a file is an MP3 of variable bit rate that nowhere says how long it is.

    Decoders then guess its length by the rate of its beginning, and libsndfile reads no further than that.
    """
    head, _ = _beginning(path)
    rates = set()
    at = 0
    while frame := _mpeg_frame(head[at : at + 4]):
        kbps, length = frame
        if at == 0 and any(name in head[:length] for name in (b"Xing", b"Info", b"VBRI")):
            return False
        rates.add(kbps)
        at += length
    return len(rates) > 1


def _beginning(path: Path | str) -> tuple[bytes, bool]:
    """The first bytes of a file behind its ID3 tags, and whether there are such; none behind too many."""
    with open(path, "rb") as stream:
        for tags in range(_MOST_TAGS):
            start = stream.read(10)
            if len(start) < 10 or start[:3] != b"ID3":
                return start + stream.read(_HEAD), tags > 0
            high, middle, low, lowest = (byte & 0x7F for byte in start[6:])
            stream.seek(high << 21 | middle << 14 | low << 7 | lowest, os.SEEK_CUR)
    return b"", True


def _is_mpeg(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _mpeg_frame(header: bytes) -> tuple[int, int] | None:
    """The bit rate in kbit/s and the length in bytes of a frame of layer III; None where none begins."""
    if len(header) < 4 or not _is_mpeg(header) or header[1] >> 1 & 3 != 1:
        return None
    version, rate, kbps = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version not in _MPEG_RATES or rate == 3 or kbps in (0, 15):
        return None
    bits = _KBPS[version == 3][kbps] * (144_000 if version == 3 else 72_000)
    return kbps, bits // _MPEG_RATES[version][rate] + (header[2] >> 1 & 1)


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
