"""Parts of a file that are audio files by themselves: joined streams, and audio whose header has to be replaced."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, NamedTuple


class FilePart(NamedTuple):
    """A range of bytes that is an audio file by itself.

    Attributes:
        start: first byte.
        stop: byte after the last.
        header: bytes that are read before the range, in place of a header that is missing or wrong.
        frames: samples per channel in it; None if its header says it.
    """

    start: int
    stop: int
    header: bytes = b""
    frames: int | None = None


class PartStream(io.RawIOBase):
    """A part of a file, as a stream of its own.

    Args:
        path: the file.
        part: the range, and the header that replaces the original one.
    """

    def __init__(self, path: Path, part: FilePart) -> None:
        self._part, self._position = part, 0
        self._file: BinaryIO = open(path, "rb")  # noqa: SIM115 (closed by close)

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        length = len(self._part.header) + self._part.stop - self._part.start
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer; less only at the end of the part."""
        header = self._part.header[self._position : self._position + len(buffer)]
        begin = self._part.start + max(0, self._position - len(self._part.header))
        self._file.seek(begin)
        content = header + self._file.read(max(0, min(len(buffer) - len(header), self._part.stop - begin)))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
