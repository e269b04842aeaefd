"""Reading, and atomic writing, of files; rows of tables and records are in ``records.py``."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError, RunError
from dplass_cli.file_locks import NO_LOCKS, lock_if_possible, remove_locked, try_lock, wait_for_lock


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``, renamed to ``path`` when the block ends without an error.

    The file is flushed to disk before the rename, so a reader sees either the old file or the complete new one. The
    temporary name keeps the suffix, since writers choose formats by it. A killed process's leftover is overwritten, so
    that killed runs do not fill the disk.

    Raises:
        InputError: the folder cannot be created or written, or ``path`` is a folder.
        RunError: the disk is full, or another operating-system error occurred while writing.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file to write")
    make_folder(path.parent)
    temporary = path.with_name(f".writing-{zlib.crc32(path.name.encode(errors='surrogateescape')):08x}{path.suffix}")
    lock = None
    try:
        lock = lock_if_possible(temporary.with_name(f"{temporary.name}.lock"))
        if lock is None:  # another process is writing the same file: the last to finish wins
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
            temporary = Path(name)
        else:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.close(handle)  # Windows renames no file that is open
    except OSError as error:
        if lock is not None:
            remove_locked(lock)
        remedy = _MORE_FILES if error.errno in _LIMIT_ERRORS else "choose another output folder"
        raise InputError(f"{path}: cannot write there ({error.strerror}); {remedy}") from error
    try:
        with writing_to(path):
            yield temporary
            with open(temporary, "rb+") as written:
                os.fsync(written.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp creates private files; outputs have ordinary permissions
            _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            remove_locked(lock)


def _replace(temporary: Path, path: Path) -> None:
    """Rename a file, and try again for a second: on Windows, a virus scanner may have the old or new file open."""
    for wait in (0.05, 0.15, 0.3, 0.5):
        with contextlib.suppress(PermissionError):
            os.replace(temporary, path)
            return
        time.sleep(wait)
    os.replace(temporary, path)


_LIMIT_ERRORS = {errno.EMFILE, errno.ENFILE}
_MORE_FILES = "raise the limit of open files (ulimit -n)"
_OPEN_ELSEWHERE = 24  # files that are open for other reasons, such as libraries, logs and the input


def allow_open_files(count: int) -> int:
    """Raise this process's limit of open files as far as the system allows, so that ``count`` more can be open.

    Returns:
        how many of them can be open at once, at least 1.
    """
    try:
        resource: Any = import_module("resource")
    except ImportError:  # Windows has no such limit
        return count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _OPEN_ELSEWHERE
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return count
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return max(1, needed - _OPEN_ELSEWHERE)


_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextlib.contextmanager
def writing_to(path: Path | str, only_disk_errors: bool = False) -> Iterator[None]:
    """Turn an OSError in the block, such as on a full disk, into a RunError that names ``path``.

    For blocks that do more than write, ``only_disk_errors`` converts only error codes that come from a disk.

    Raises:
        RunError: writing failed.
    """
    try:
        yield
    except OSError as error:
        if only_disk_errors and error.errno not in _DISK_ERRORS:
            raise
        remedy = "free space"
        if error.errno in _LIMIT_ERRORS:
            remedy = _MORE_FILES
        elif isinstance(error, PermissionError):
            remedy = "check its permissions, close programs that have it open"
        raise RunError(f"{path}: writing failed ({error.strerror or error}); {remedy} and run again") from error


@contextlib.contextmanager
def scratch_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder for temporary files; it is removed when the block ends.

    Leftovers of a killed process are removed first. If another process is using the folder, a different one is created
    next to it.

    Raises:
        InputError: the folder cannot be created.
    """
    path = make_folder(path)
    try:
        lock = lock_if_possible(path / ".lock")
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); choose another output folder") from error
    if lock is None:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-") as name:
            yield Path(name)
        return
    try:
        for leftover in path.iterdir():
            if leftover.name != ".lock":
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.release()
        shutil.rmtree(path, ignore_errors=True)  # on Windows, the file of the lock can be removed only now


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(path: Path | str) -> Path:
    """Create a folder and its parents if needed, and return it.

    Raises:
        InputError: the folder cannot be created.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot create this folder ({error.strerror}); choose another output") from error
    return path


def free_space(folder: Path | str) -> int:
    """Bytes that are free for a folder, which need not exist yet.

    Raises:
        InputError: the folder could not be created or written.
    """
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{existing}: cannot write there; choose another folder")
    return shutil.disk_usage(existing).free


def remove_file(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); choose another output folder") from error


@contextlib.contextmanager
def locked(path: Path | str, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock on a file; the operating system releases it when the process ends, however that happens.

    The file is created, and only Windows removes it. ``waiting`` is called before waiting for another process.

    Raises:
        InputError: the file cannot be created, or its file system has no locks.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        if (lock := try_lock(path)) is None:
            waiting()
            lock = wait_for_lock(path)
    except OSError as error:
        what = "cannot write there"
        if error.errno in NO_LOCKS:  # without locks, several processes would overwrite each other
            what = "files cannot be locked on this file system"
        raise InputError(f"{path.parent}: {what} ({error.strerror}); choose another folder") from error
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path | str, text: str, errors: str = "backslashreplace") -> None:
    """Write a UTF-8 text file atomically.

    File names are bytes, and Python represents those that are not UTF-8 as lone surrogates. By default these are
    written as escapes (``\\udce9``), which JSON reads as the same name; ``errors="surrogateescape"`` writes the bytes.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors)


def append_text(path: Path | str, text: str) -> None:
    """Append to a UTF-8 text file, such as a log, in one write; names are written as by :func:`write_text`.

    Raises:
        InputError: the folder cannot be created.
        RunError: the disk is full or failed.
    """
    make_folder(Path(path).parent)
    with writing_to(path), open(path, "a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity, which JSON lacks, become ``null``."""
    write_text(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """Return ``value`` as indented JSON text in which non-finite floats are ``null``."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, empty or not JSON (with line and column).
    """
    path = Path(path)
    text = read_text(path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected JSON")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); repair it or write it again") from error
    require_no_surrogates(content, text, path)
    return content


def require_no_surrogates(content: Any, text: str, path: Path | str) -> None:
    """Reject lone surrogates, which JSON can escape (``\\ud83d`` alone) but no text file can contain.

    Those that stand for a byte of a file name (:func:`write_text`) are accepted. ``content`` is parsed ``text``, which
    is searched first because that is cheaper.

    Raises:
        InputError: a string contains a lone surrogate.
    """
    if not _SURROGATE_ESCAPE.search(text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: contains a lone surrogate ({error.object[error.start]!r}); replace it with a whole character"
        ) from error


_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(path: Path | str, errors: str = "strict") -> str:
    """Read a UTF-8 text file; a byte-order mark is dropped.

    Args:
        path: the file.
        errors: what happens to bytes that are not UTF-8; ``surrogateescape`` in files that contain names of files.

    Raises:
        InputError: the file is missing, unreadable or not UTF-8.
    """
    path = Path(path)
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig", errors=errors)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def require_file(path: Path | str, what: str = "file", remedy: str = "check the path") -> Path:
    """Return ``path`` if it is a file.

    Args:
        path: the file.
        what: what is expected there, for the message.
        remedy: what to do if it is missing, for the message.

    Raises:
        InputError: the file is missing or unreadable, or it is a folder.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; expected a {what}")
        if not path.is_file():
            if path.is_symlink():
                raise InputError(f"{path}: is a symbolic link to nothing or to itself; {remedy}")
            raise InputError(f"{path}: no such {what}; {remedy}")
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise InputError(f"{path}: cannot read ({error.strerror})") from error
    return path


def resolved(path: Path | str) -> Path:
    """The absolute path without symbolic links. Unlike ``Path.resolve``, it accepts a link to itself."""
    return Path(os.path.realpath(path))


def require_folder(path: Path | str) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        InputError: the folder is missing, or it is a file.
    """
    path = Path(path)
    if path.is_file():
        raise InputError(f"{path}: is a file; expected a folder")
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; check the path")
    return path


def file_sha256(path: Path | str, hashed: Callable[[int], object] = lambda done: None) -> str:
    """Hash a file's bytes; ``hashed`` is called with the number of bytes hashed so far.

    Raises:
        RunError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
                hashed(stream.tell())
    except OSError as error:
        raise RunError(f"{path}: cannot read ({error.strerror}); check the file and its permissions") from error
    return digest.hexdigest()


def text_sha256(text: str) -> str:
    """Hash a text, encoded as UTF-8; names of files as their bytes."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


Progress = Callable[[int, int, str], None]
"""Progress callback, called with (done, total, description)."""


def no_progress(done: int, total: int, what: str) -> None:
    """A progress callback that does nothing."""
