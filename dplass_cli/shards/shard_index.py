"""``index.json`` of a folder of shards: the name, size and hash of each shard, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError
from dplass_cli.shards.addresses import address, is_remote
from dplass_cli.shards.remote_files import read_remote_text
from dplass_cli.storage import json_text, read_text

INDEX = "index.json"
_FORMAT = "dplass-shards-1"


@dataclass(frozen=True)
class ShardEntry:
    """A shard.

    Attributes:
        name: file name of the tar file.
        bytes: its size.
        sha256: hash of the tar file.
        clips: number of clips in it.
        rejected: number of clips that would be in it, but cannot be read.
        rows_sha256: hash of the file of its manifest rows, which is next to it.
    """

    name: str
    bytes: int
    sha256: str
    clips: int
    rejected: int
    rows_sha256: str


@dataclass(frozen=True)
class ShardIndex:
    """The shards of a folder.

    Attributes:
        source: what they are made of and how; shards of another source are not added to.
        shards: the shards, in order.
        complete: whether all clips of the source are in them.
    """

    source: Mapping[str, Any]
    shards: tuple[ShardEntry, ...] = field(default=())
    complete: bool = False

    @property
    def taken(self) -> int:
        """Number of clips of the source that the shards account for."""
        return sum(shard.clips + shard.rejected for shard in self.shards)

    def text(self) -> str:
        """The file's content."""
        return json_text({"format": _FORMAT, **asdict(self)}) + "\n"


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder on disk or at an address.

    Raises:
        InputError: it is missing or unusable.
    """
    path = folder / INDEX
    text = read_remote_text(path) if is_remote(path) else read_text(path)
    try:
        content = json.loads(text)
        if content.pop("format") != _FORMAT:
            raise ValueError("another format")
        shards = tuple(ShardEntry(**shard) for shard in content.pop("shards"))
        return ShardIndex(shards=shards, **content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{address(path)}: not an index of shards; expected {_FORMAT}, as prepare shards writes"
        ) from error
