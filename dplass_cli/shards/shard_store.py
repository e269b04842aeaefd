"""Reading clips from shards. Remote shards that are read from end to end are kept in a folder of limited size.

A clip of a shard on disk is read in place. Of a remote shard, one request fetches a single clip, which suits validation
and evaluation, where few clips are scattered over many shards. Who reads most of a shard, such as ``embed`` and
training, announces it with :meth:`ShardStore.expect`; it is then fetched as a whole, ahead of its first use, verified
against the index and shared by all processes of the machine.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import queue
import threading
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.sizes import bytes_of
from dplass_cli.resources import default_folder
from dplass_cli.shards.addresses import ShardMember, address, is_remote, member_of
from dplass_cli.shards.remote_files import RemoteFileError, download, read_range
from dplass_cli.shards.shard_index import ShardEntry, read_index
from dplass_cli.storage import file_sha256, locked

_log = logging.getLogger(__name__)

MAX_FAILED_SHARDS = 20
"""More shards than this that cannot be read end the run: the cause is then not in them."""
RETRY_SECONDS = 600.0
"""After this time a shard that could not be read is tried again."""
LARGEST_MEMBER = 1 << 28
"""Bytes of a clip; more is not read into memory."""

_DEFAULT_LIMIT = "20GB"
_EXPECTED = 16  # shards that are remembered as expected; those expected again later are fetched again if necessary
_ABANDONED = 3600.0  # seconds without progress after which a partial copy is one of a killed process
_TOUCH_SECONDS = 60.0


class ShardError(InputError):
    """A shard, and with it each of its clips, cannot be read.

    Attributes:
        shard: the tar file.
    """

    def __init__(self, shard: Path, reason: str) -> None:
        super().__init__(f"{address(shard)}: {reason}")
        self.shard = shard


class ShardStore:
    """Reads clips from shards.

    Args:
        folder: keeps copies of remote shards.
        limit: bytes that they may occupy; those used longest ago are removed.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._expected: dict[Path, None] = {}
        self._failed: dict[Path, tuple[float, ShardError]] = {}
        self._touched: dict[Path, float] = {}
        self._used: set[Path] = set()
        self._ahead: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._fetcher: threading.Thread | None = None

    def read(self, member: ShardMember) -> bytes:
        """The bytes of a clip.

        Raises:
            ShardError: its shard is missing, cannot be fetched, or differs from its index.
            InputError: the clip's bytes are damaged.
            RunError: more than :data:`MAX_FAILED_SHARDS` shards have failed, or the disk is full.
        """
        shard = member.shard
        if member.size > LARGEST_MEMBER:
            raise InputError(
                f"{address(shard)}: contains a clip of {member.size:,} bytes; the limit is {LARGEST_MEMBER:,}"
            )
        self._raise_known_failure(shard)
        try:
            content = self._content(member)
        except RemoteFileError as error:
            raise self._failure(shard, str(error).partition(": ")[2]) from error
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            reason = "no such shard" if missing else f"cannot be read ({error.strerror})"
            raise self._failure(shard, f"{reason}; restore it") from error
        if len(content) < member.size or zlib.crc32(content) != member.crc32:
            raise InputError(
                f"{address(shard)}: the clip at byte {member.start:,} is damaged (its checksum differs); rerun"
                " 'dplass prepare shards … --verify', which writes damaged shards again"
            )
        return content

    def expect(self, shards: Iterable[Path]) -> None:
        """Announce shards that will be read from end to end, in this order; remote ones are fetched ahead."""
        remote = [shard for shard in shards if is_remote(shard)]
        for shard in remote:
            if shard not in self._expected:
                self._used.discard(shard)
                self._ahead.put(shard)
            self._expected.pop(shard, None)
            self._expected[shard] = None  # the latest are last
        while len(self._expected) > max(_EXPECTED, 2 * len(remote)):
            del self._expected[next(iter(self._expected))]
        if not self._ahead.empty() and (self._fetcher is None or not self._fetcher.is_alive()):
            # A daemon: what it has not finished is continued by the next process that needs the shard.
            self._fetcher = threading.Thread(target=self._fetch_ahead, daemon=True, name="shards")
            self._fetcher.start()

    def failures(self) -> list[ShardError]:
        """Why shards could not be read."""
        return [error for _, error in self._failed.values()]

    def _content(self, member: ShardMember) -> bytes:
        stop = member.start + member.size
        if not is_remote(member.shard):
            return _read_file(member.shard, member.start, member.size)
        entry = _remote_entry(member.shard)
        if entry is None or stop > entry.bytes:
            raise RemoteFileError(f"{address(member.shard)}: not in the folder's index; prepare the manifest again")
        copy = self._copy(member.shard, entry)
        for _ in range(2):  # another process may remove the copy at any time
            with contextlib.suppress(FileNotFoundError):
                content = _read_file(copy, member.start, member.size)
                self._touch(copy)
                self._used.add(member.shard)
                return content
            if member.shard not in self._expected or entry.bytes > self.limit:
                break
            self._fetch(member.shard, entry)
        return read_range(member.shard, member.start, stop)

    def _copy(self, shard: Path, entry: ShardEntry) -> Path:
        origin = hashlib.sha256(address(shard.parent).encode()).hexdigest()[:16]
        return self.folder / origin / f"{shard.stem}-{entry.sha256[:16]}{shard.suffix}"

    def _fetch_ahead(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                shard = self._ahead.get(timeout=1.0)
                # The reader that needs the shard raises the error.
                with contextlib.suppress(InputError, RunError):
                    entry = _remote_entry(shard)
                    if entry is not None and entry.bytes <= self.limit and shard not in self._used:
                        self._fetch(shard, entry)

    def _fetch(self, shard: Path, entry: ShardEntry) -> None:
        """Copy a whole shard into the folder, unless a process has done that; its hash must be that of the index."""
        copy = self._copy(shard, entry)
        with locked(copy.with_suffix(".lock")):
            if copy.exists():
                return
            partial = copy.with_name(f"{copy.stem}.{entry.bytes}.part")
            self._make_room(partial, entry.bytes)
            for _ in range(2):  # bytes of an earlier run, or of a bad connection, may be damaged
                download(shard, partial, entry.bytes)
                if file_sha256(partial) == entry.sha256:
                    os.replace(partial, copy)
                    return
                partial.unlink()
        raise RemoteFileError(f"{address(shard)}: its checksum differs from the index; upload or prepare it again")

    def _make_room(self, partial: Path, needed: int) -> None:
        """Remove the copies used longest ago, so that a further one stays within the limit, and begin it.

        Others may be arriving at the same time; the names of partial copies say how large they will be.
        """
        with locked(self.folder / "room.lock"):
            copies, total = [], needed
            for path in (*self.folder.glob("*/*.tar"), *self.folder.glob("*/*.part")):
                with contextlib.suppress(FileNotFoundError):
                    state = path.stat()
                    size = int(path.suffixes[-2][1:]) if path.suffix == ".part" else state.st_size
                    total += 0 if path == partial else size
                    if path.suffix != ".part" or (path != partial and time.time() - state.st_mtime > _ABANDONED):
                        copies.append((state.st_mtime, size, path))
            for _, size, path in sorted(copies):
                if total <= self.limit:
                    break
                path.unlink(missing_ok=True)
                total -= size
            partial.touch()

    def _touch(self, copy: Path) -> None:
        """Record the use of a copy in its time of change, at most once a minute."""
        now = time.monotonic()
        if now - self._touched.get(copy, -_TOUCH_SECONDS) >= _TOUCH_SECONDS:
            self._touched[copy] = now
            with contextlib.suppress(OSError):
                os.utime(copy)

    def _raise_known_failure(self, shard: Path) -> None:
        """Fail at once where a shard has failed lately: each of its clips would wait for all attempts."""
        failed, error = self._failed.get(shard, (0.0, None))
        if error is None:
            return
        if time.monotonic() - failed < RETRY_SECONDS:
            raise error
        del self._failed[shard]

    def _failure(self, shard: Path, reason: str) -> Exception:
        error = ShardError(shard, reason)
        self._failed[shard] = time.monotonic(), error
        _log.warning("skipped: %s (shard %d of at most %d)", error, len(self._failed), MAX_FAILED_SHARDS)
        if len(self._failed) > MAX_FAILED_SHARDS:
            return RunError(f"{len(self._failed)} shards cannot be read, the last: {error}")
        return error


def _read_file(path: Path, start: int, size: int) -> bytes:
    with open(path, "rb", buffering=0) as stream:
        stream.seek(start)
        return stream.read(size)


def _remote_entry(shard: Path) -> ShardEntry | None:
    return _remote_entries(shard.parent).get(shard.name)


@functools.lru_cache(maxsize=64)
def _remote_entries(folder: Path) -> dict[str, ShardEntry]:
    return {entry.name: entry for entry in read_index(folder).shards}


@functools.cache
def shard_store() -> ShardStore:
    """The store of this process: ``$DPLASS_SHARD_CACHE`` (a folder) and ``$DPLASS_SHARD_CACHE_SIZE``, such as 100GB.

    Raises:
        InputError: the size is not one.
    """
    folder = os.environ.get("DPLASS_SHARD_CACHE")
    limit = os.environ.get("DPLASS_SHARD_CACHE_SIZE") or _DEFAULT_LIMIT
    return ShardStore(
        Path(folder) if folder else default_folder().expanduser() / "shards", bytes_of(limit, "DPLASS_SHARD_CACHE_SIZE")
    )


def clip_sha256(path: Path) -> str:
    """Hash the bytes of an audio file, or of a clip in a shard.

    Raises:
        InputError: the clip or its shard cannot be read.
        RunError: the file cannot be read.
    """
    member = member_of(path)
    return file_sha256(path) if member is None else hashlib.sha256(shard_store().read(member)).hexdigest()
