"""Read files out of packages, and out of the archives of games inside packages.

A path of the table of sources is relative to the root of the package. If it starts with an underscore, its first part
names the kind of an archive, and the next one the archive:

- ``_zip/public.zip/…``: a zip file (also ``.pk3``).
- ``_rcc/core/…``: a Qt resource file, here ``core.rcc``.
- ``_c4/Sound.ocg/…``: a group file of OpenClonk.
- ``_cat/osfx_29.wav``: the sound with that index in the only ``.cat`` file of an OpenTTD sound set.
"""

from __future__ import annotations

import functools
import gzip
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

Members = Callable[[str], bytes]  # path in an archive -> content; KeyError if it isn't there


def read_member(root: Path, path: str) -> bytes:
    """The content of a file of an unpacked package.

    Args:
        root: folder that the package was unpacked to.
        path: a path of the table of sources.

    Raises:
        FileNotFoundError: the package doesn't contain it.
    """
    if not path.startswith("_"):
        return (root / path).read_bytes()
    kind, name, inner = [*path.split("/", 2), ""][:3]
    pattern, opener = _KINDS[kind]
    if kind == "_cat":
        inner = name
    for archive in sorted(root.rglob(pattern.format(name))):
        try:
            return opener(archive)(inner)
        except KeyError:
            continue
    raise FileNotFoundError(f"{path}: not in the package")


@functools.lru_cache(maxsize=2)
def _open_zip(archive: Path) -> Members:
    return zipfile.ZipFile(archive).read


@functools.lru_cache(maxsize=2)
def _open_rcc(archive: Path) -> Members:
    """Qt's binary resources (rcc.cpp): a tree of nodes, names in UTF-16, and data that may be compressed."""
    content = archive.read_bytes()
    version, tree, data, names = struct.unpack_from(">4I", content, 4)
    node_size = 14 if version == 1 else 22  # later versions add a time of modification

    def name_of(node: int) -> str:
        start = names + int(struct.unpack_from(">I", content, node)[0])
        length = 2 * struct.unpack_from(">H", content, start)[0]
        return content[start + 6 : start + 6 + length].decode("utf-16-be")  # a hash lies between them

    def walk(node: int, folder: str) -> Iterator[tuple[str, int]]:
        for child in range(*_children(node)):
            position = tree + child * node_size
            path = folder + name_of(position)
            if content[position + 5] & 2:
                yield from walk(position, path + "/")
            else:
                yield path, position

    def _children(node: int) -> tuple[int, int]:
        count, first = struct.unpack_from(">2I", content, node + 6)
        return first, first + count

    found = dict(walk(tree, ""))

    def read(path: str) -> bytes:
        node = found[path]
        start = data + int(struct.unpack_from(">I", content, node + 10)[0])
        length = struct.unpack_from(">I", content, start)[0]
        stored = content[start + 4 : start + 4 + length]
        if content[node + 5] & 4:
            raise ValueError(f"{archive}: {path} is compressed with zstd; only zlib is supported")
        return zlib.decompress(stored[4:]) if content[node + 5] & 1 else stored  # 4 bytes: the uncompressed size

    return read


@functools.lru_cache(maxsize=2)
def _open_c4(archive: Path) -> Members:
    """OpenClonk's groups (C4Group.cpp): gzip with its magic changed; a scrambled header, entries, then their data."""
    content = gzip.decompress(b"\x1f\x8b" + archive.read_bytes()[2:])

    def walk(start: int, folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
        header = _unscramble(content[start : start + 204])
        count = struct.unpack_from("<i", header, 36)[0]
        data = start + 204 + 316 * count
        for entry in range(start + 204, data, 316):
            name = content[entry : entry + 260].split(b"\0", 1)[0].decode("utf-8", "replace")
            _, is_group, size, _, offset = struct.unpack_from("<5i", content, entry + 260)
            if is_group:
                yield from walk(data + offset, f"{folder}{name}/")
            else:
                yield folder + name, (data + offset, size)

    found = dict(walk(0, ""))

    def read(path: str) -> bytes:
        start, size = found[path]
        return content[start : start + size]

    return read


def _unscramble(header: bytes) -> bytes:
    """Undo MemScramble: every byte is combined with 237, and of each three the first and the last are swapped."""
    clear = bytearray(byte ^ 237 for byte in header)
    for index in range(0, len(clear) - 2, 3):
        clear[index], clear[index + 2] = clear[index + 2], clear[index]
    return bytes(clear)


@functools.lru_cache(maxsize=2)
def _open_cat(archive: Path) -> Members:
    """OpenTTD's sound sets (sound.cpp): offsets and sizes, then per sound a name and a wav file."""
    content = archive.read_bytes()
    first = struct.unpack_from("<I", content)[0] & 0x7FFFFFFF

    def read(path: str) -> bytes:
        number = re.fullmatch(r"\D*(\d+)\.wav", path)
        if number is None or 8 * int(number[1]) >= first:
            raise KeyError(path)
        start = struct.unpack_from("<I", content, 8 * int(number[1]))[0] & 0x7FFFFFFF
        start = content.index(b"RIFF", start)
        size = struct.unpack_from("<I", content, start + 4)[0]
        return content[start : start + 8 + size]

    return read


_KINDS: dict[str, tuple[str, Callable[[Path], Members]]] = {
    "_zip": ("{}", _open_zip),
    "_rcc": ("{}.rcc", _open_rcc),
    "_c4": ("{}", _open_c4),
    "_cat": ("*.cat", _open_cat),
}
