"""A folder of shards that is being written, on disk or at an address."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from dplass_cli.errors import InputError
from dplass_cli.shards.addresses import address, is_remote
from dplass_cli.shards.remote_files import NoRemoteFile, file_size, read_remote_text, remote_sha256, upload
from dplass_cli.shards.shard_index import INDEX, ShardEntry, ShardIndex, read_index
from dplass_cli.storage import (
    Progress,
    atomic_path,
    file_sha256,
    locked,
    make_folder,
    no_progress,
    read_text,
    text_sha256,
)


class ShardFolder:
    """Writes the files of a folder of shards, one at a time; each appears when it is complete.

    At an address, each file is written to a temporary folder of this machine first.

    Args:
        place: the folder.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> ShardFolder:
        if is_remote(self.place):
            self._scratch = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="dplass-shards-")))
        else:
            self._opened.enter_context(locked(make_folder(self.place) / ".lock"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    def index(self, source: Mapping[str, Any]) -> ShardIndex:
        """The shards of an earlier run, none if there was none.

        Raises:
            InputError: they are of another source.
        """
        path = self.place / INDEX
        try:
            if not is_remote(path) and not path.exists():
                return ShardIndex(source)
            index = read_index(self.place)
        except NoRemoteFile:
            return ShardIndex(source)
        for key, value in source.items():
            if index.source.get(key) != value:
                what = "clips of another manifest" if key in ("rows_sha256", "clips") else f"another {key}"
                raise InputError(f"{address(self.place)}: contains shards with {what}; choose another --output")
        return index

    def damaged(self, index: ShardIndex, contents: bool, progress: Progress = no_progress) -> set[str]:
        """Names of shards that are missing, of another size, or of another hash if ``contents`` are to be read."""
        damaged = set()
        for done, shard in enumerate(index.shards):
            path = self.place / shard.name
            progress(done, len(index.shards), "verifying shards")
            rows = path.with_suffix(".jsonl")
            if file_size(path) != shard.bytes or file_size(rows) is None:
                damaged.add(shard.name)
            elif contents:
                digest = remote_sha256(path, shard.bytes) if is_remote(path) else file_sha256(path)
                if digest != shard.sha256 or text_sha256(self.read_text(rows.name)) != shard.rows_sha256:
                    damaged.add(shard.name)
        return damaged

    def add(self, index: ShardIndex, shard: ShardEntry) -> ShardIndex:
        """Record another shard."""
        return self._save(replace(index, shards=(*index.shards, shard)))

    def replace(self, index: ShardIndex, number: int, shard: ShardEntry) -> ShardIndex:
        """Record that a shard was written again."""
        return self._save(replace(index, shards=(*index.shards[:number], shard, *index.shards[number + 1 :])))

    def finish(self, index: ShardIndex) -> None:
        """Record that all clips are in the shards."""
        self._save(replace(index, complete=True))

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a path to write a file to, which appears in the folder when the block ends without an error."""
        if is_remote(self.place):
            path = self._scratch / name
            yield path
            upload(path, self.place / name)
            path.unlink()
        else:
            with atomic_path(self.place / name) as path:
                yield path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8", newline="\n")

    def read_text(self, name: str) -> str:
        """Read a text file."""
        path = self.place / name
        return read_remote_text(path) if is_remote(path) else read_text(path)

    def _save(self, index: ShardIndex) -> ShardIndex:
        self.write_text(INDEX, index.text())
        return index
