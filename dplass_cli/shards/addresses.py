"""Paths of clips in shards, and addresses such as ``s3://bucket/folder``, as the paths that the package passes around.

``Path`` reduces ``s3://bucket`` to ``s3:/bucket``. That is unambiguous, so that an address is stored in a ``Path`` like
any other file, and :func:`address` turns it back. A clip in a shard is a path below the tar file, whose name says
where its bytes are: ``clips-000012.tar/00001234@1536-31842-9a3b11ff.flac`` has 31,842 bytes from byte 1536 on, and
their CRC-32 is 9a3b11ff. Reading it needs neither an index nor a search.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_REMOTE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:/+[^/]")  # one letter alone would be a drive of Windows
_MEMBER = re.compile(r"[^/@]+@(\d{1,15})-(\d{1,12})-([0-9a-f]{8})\.(?:flac|wav)")

SHARD_SUFFIX = ".tar"


class ShardMember(NamedTuple):
    """A clip's bytes in a shard.

    Attributes:
        shard: the tar file.
        start: first byte of the clip's audio file.
        size: number of bytes.
        crc32: their checksum.
    """

    shard: Path
    start: int
    size: int
    crc32: int


def is_remote(path: Path | str) -> bool:
    """Whether a path is an address, such as ``s3://bucket/train.json``."""
    return _REMOTE.match(str(path)) is not None


def address(path: Path | str) -> str:
    """The path as text that any process understands: an address as such, any other path absolute."""
    text = str(path)
    if not is_remote(text):
        return os.path.abspath(text)
    scheme, _, place = text.partition(":/")
    return f"{scheme}://{place.lstrip('/')}"


def located(folder: Path, name: str) -> Path:
    """The path of a file that a table in ``folder`` names: an address, absolute, or relative to the folder."""
    return Path(name) if is_remote(name) else folder / name


def member_name(key: str, start: int, size: int, crc32: int, suffix: str) -> str:
    """The last component of a clip's path in a shard; see :class:`ShardMember`."""
    return f"{key}@{start}-{size}-{crc32:08x}{suffix}"


def member_of(path: Path) -> ShardMember | None:
    """The clip in a shard that a path means; None for all other files."""
    match = _MEMBER.fullmatch(path.name)
    if match is None or path.parent.suffix != SHARD_SUFFIX:
        return None
    return ShardMember(path.parent, int(match[1]), int(match[2]), int(match[3], 16))


def shard_of(path: Path) -> Path | None:
    """The shard that contains a clip; None for a file of its own."""
    return path.parent if _MEMBER.fullmatch(path.name) and path.parent.suffix == SHARD_SUFFIX else None
