"""Files at addresses that fsspec opens (``s3://``, ``gs://``, ``hf://``, ``https://``), read and written with retries.

Files are read in ranges of :data:`CHUNK` bytes, so that memory stays bounded, a cut connection costs one range, and a
slow server is noticed.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dplass_cli.errors import InputError
from dplass_cli.shards.addresses import address, is_remote
from dplass_cli.storage import Progress, no_progress, writing_to

_log = logging.getLogger(__name__)

CHUNK = 1 << 23
"""Bytes of a request."""
TRIES = 4
"""Attempts at one range."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt, doubled before each further one."""
TIMEOUT = 60.0
"""Seconds within which a range must arrive."""

_BUCKETS = {"s3", "s3a", "gs", "gcs"}  # schemes whose packages are in the extra of this name
_PERMANENT = {400, 401, 403, 404, 405, 410}  # HTTP statuses that another attempt will not change

T = TypeVar("T")


class RemoteFileError(InputError):
    """A file at an address cannot be read or written."""


class NoRemoteFile(RemoteFileError):
    """There is no file at an address."""


def read_range(path: Path, start: int, stop: int) -> bytes:
    """Read the bytes [``start``, ``stop``) of a remote file.

    Raises:
        RemoteFileError: the file is missing or not accessible, too short, or every attempt failed.
    """

    def attempt(files: Any, place: str) -> bytes:
        content = _within(files, "_cat_file", "cat_file", place, start=start, end=stop)
        if len(content) > stop - start:
            raise RemoteFileError(f"{address(path)}: the server sends no ranges of files; copy the folder to a disk")
        if len(content) < stop - start:
            raise OSError(f"the connection was cut at {len(content):,} of {stop - start:,} bytes")
        return bytes(content)

    return _retried(path, attempt)


def read_remote_text(path: Path) -> str:
    """Read a remote text file in UTF-8; a byte-order mark is dropped.

    Raises:
        RemoteFileError: as :func:`read_range`, or it is not UTF-8.
    """
    content = _retried(path, lambda files, place: bytes(_within(files, "_cat_file", "cat_file", place)))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RemoteFileError(f"{address(path)}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def download(path: Path, target: Path, size: int, progress: Progress = no_progress) -> None:
    """Download ``size`` bytes of a remote file to ``target``; what an earlier attempt left there is continued.

    Raises:
        RemoteFileError: as :func:`read_range`; the bytes that arrived are kept.
        RunError: the disk is full.
    """
    with writing_to(target), open(target, "ab") as stream:
        done = stream.tell()
        if done > size:
            stream.truncate(done := 0)
        while done < size:
            stream.write(read_range(path, done, min(size, done + CHUNK)))
            stream.flush()
            done = stream.tell()
            progress(done, size, path.name)


def file_size(path: Path) -> int | None:
    """The size of a file on disk or at an address; None if there is none.

    Raises:
        RemoteFileError: as :func:`read_range`.
    """
    if not is_remote(path):
        return path.stat().st_size if path.is_file() else None
    try:
        return _retried(path, lambda files, place: int(_within(files, "_info", "info", place)["size"]))
    except NoRemoteFile:
        return None


def remote_sha256(path: Path, size: int) -> str:
    """Hash the first ``size`` bytes of a remote file.

    Raises:
        RemoteFileError: as :func:`read_range`.
    """
    digest = hashlib.sha256()
    for start in range(0, size, CHUNK):
        digest.update(read_range(path, start, min(size, start + CHUNK)))
    return digest.hexdigest()


def upload(file: Path, path: Path) -> None:
    """Copy a local file to an address.

    Raises:
        RemoteFileError: the address cannot be written, or every attempt failed.
    """

    def attempt(files: Any, place: str) -> None:
        try:
            files.put_file(os.fspath(file), place)
        except NotImplementedError as error:
            raise RemoteFileError(
                f"{address(path)}: cannot be written; choose a folder, s3://, gs:// or hf://"
            ) from error

    _retried(path, attempt)


def _within(files: Any, coroutine: str, function: str, *args: Any, **options: Any) -> Any:
    """Call a method of a file system, for at most :data:`TIMEOUT` seconds where it is asynchronous."""
    if not files.async_impl:  # such as hf://, which has time-outs of its own
        return getattr(files, function)(*args, **options)
    from fsspec.asyn import sync

    return sync(files.loop, getattr(files, coroutine), *args, timeout=TIMEOUT, **options)


def _retried(path: Path, attempt: Callable[[Any, str], T]) -> T:
    url = address(path)
    scheme = url.partition("://")[0]
    wait = FIRST_WAIT
    for left in reversed(range(TRIES)):
        try:
            files = file_system(scheme, os.getpid())
            return attempt(files, files._strip_protocol(url))
        except RemoteFileError:
            raise
        except FileNotFoundError as error:
            raise NoRemoteFile(f"{url}: no such file; check the address") from error
        except ImportError as error:
            remedy = "pip install 'dplass[buckets]'" if scheme in _BUCKETS else "install the package that it needs"
            raise RemoteFileError(f"{url}: {scheme}:// cannot be opened ({_reason(error)}); {remedy}") from error
        except Exception as error:  # each file system raises errors of its own
            reason = _reason(error)
            if isinstance(error, PermissionError) or getattr(error, "status", None) in _PERMANENT:
                raise RemoteFileError(
                    f"{url}: cannot be accessed ({reason}); check the address and your login"
                ) from error
            if isinstance(error, ValueError) and "rotocol" in reason:
                raise RemoteFileError(f"{url}: {reason}; use a folder, s3://, gs://, hf:// or https://") from error
            if not left:
                raise RemoteFileError(f"{url}: {reason}; check the connection and run again") from error
            _log.info("%s: %s; trying again", url, reason)
        time.sleep(wait)
        wait *= 2
    raise AssertionError("unreachable")


@functools.lru_cache(maxsize=16)
def file_system(scheme: str, process: int) -> Any:
    """fsspec's file system for a scheme; one per process, since its connections do not survive a fork."""
    import fsspec

    return fsspec.filesystem(scheme)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "FSTimeoutError" or isinstance(error, TimeoutError):
        return f"the server is too slow: no answer within {TIMEOUT:g} s"
    if status := getattr(error, "status", None):
        return f"the server answers {status}"
    return str(error).strip().split("\n")[0] or type(error).__name__
