"""Every write of the package goes through here, atomically; tables and records of rows through ``records.py``."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError, RunError


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends without an error.

    The file is flushed to disk before the rename, so that a reader sees the old file or the whole new one.
    The temporary name keeps the suffix, since writers choose formats by it. What a killed process left of the same file
    is written over, so that killed runs do not fill the disk.

    Raises:
        InputError: the folder cannot be made or written, or ``path`` is a folder.
        RunError: the disk is full, or another operating-system error while writing.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file to write")
    make_folder(path.parent)
    temporary = path.with_name(f".writing-{zlib.crc32(path.name.encode(errors='surrogateescape')):08x}{path.suffix}")
    try:
        handle = _alone(temporary)
        if handle is None:  # another process is writing the same file: the last to end wins
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
            temporary = Path(name)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); choose another output folder") from error
    ours = True
    try:
        with writing_to(path):
            os.truncate(temporary, 0)
            yield temporary
            with open(temporary, "rb+") as written:
                os.fsync(written.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files; outputs are ordinary ones
            os.replace(temporary, path)
            ours = False  # from now on another process may be writing under that name
    finally:
        if ours:
            temporary.unlink(missing_ok=True)
        os.close(handle)


_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextlib.contextmanager
def writing_to(path: Path | str, among_others: bool = False) -> Iterator[None]:
    """Make a RunError that names ``path`` of what fails to be written in the block, such as on a full disk.

    Where the block does other things too, ``among_others``, only errors that none but a disk gives are made one.
    """
    try:
        yield
    except OSError as error:
        if among_others and error.errno not in _OF_DISKS:
            raise
        raise RunError(f"{path}: writing failed ({error.strerror or error}); free space and run again") from error


def _alone(path: Path) -> int | None:
    """Make or open a file and hold it until the descriptor is closed; None where it cannot be held.

    That is so while another process holds it, and where the file system has no locks. A file that its last holder
    renamed while it was being opened is not this one any more.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
    os.close(handle)
    return None


@contextlib.contextmanager
def scratch_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder for what is needed for a while; it is removed when the block ends.

    What a killed process left of it is removed first. Where another process uses it, the folder is another.

    Raises:
        InputError: the folder cannot be made.
    """
    path = make_folder(path)
    try:
        handle = _alone(path / ".lock")
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); choose another output folder") from error
    if handle is None:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-") as name:
            yield Path(name)
        return
    try:
        for left in path.iterdir():
            if left.name != ".lock":
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(path: Path | str) -> Path:
    """Make a folder with its parents and return it.

    Raises:
        InputError: the folder cannot be made.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror}); choose another output") from error
    return path


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        InputError: nothing may be removed there.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); choose another output folder") from error


@contextlib.contextmanager
def locked(path: Path | str, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold a lock file: one process at a time is inside. The lock falls with its process, however that ends.

    ``waiting`` is called where another process is inside.

    Raises:
        InputError: the file cannot be made, or its file system has no locks.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write there ({error.strerror}); choose another folder") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:  # without, several processes would write over each other
            raise InputError(
                f"{path.parent}: files cannot be locked there ({error.strerror}); choose another folder"
            ) from error
        yield
    finally:
        os.close(handle)  # the file stays: removing it would let two in


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_text(path: Path | str, text: str) -> None:
    """Append to a UTF-8 text file, such as a log, in one write.

    Raises:
        InputError: the folder cannot be made. RunError: the disk is full or failed.
    """
    make_folder(Path(path).parent)
    with writing_to(path), open(path, "a", encoding="utf-8") as stream:
        stream.write(text)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity become ``null``, as JSON has neither."""
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
    require_whole_signs(content, text, path)
    return content


def require_whole_signs(content: Any, text: str, path: Path | str) -> None:
    """Refuse halves of signs, which JSON can spell (``\\ud83d`` alone) and no file can hold as text.

    Args:
        content: what ``text`` was read as.

    Raises:
        InputError: there is one.
    """
    if not _HALF_SIGN.search(text):
        return
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path}: a text holds half of a sign ({error.object[error.start]!r}); write it whole"
        ) from error


_HALF_SIGN = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(path: Path | str) -> str:
    """Read a UTF-8 text file (a byte-order mark is dropped).

    Raises:
        InputError: the file is missing, unreadable or not UTF-8.
    """
    path = Path(path)
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from error


def require_file(path: Path | str, what: str = "file") -> Path:
    """Return ``path`` when it is a file.

    Raises:
        InputError: there is no such file, or it is a folder.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; expected a {what}")
        if not path.is_file():
            raise InputError(f"{path}: no such {what}; check the path")
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise InputError(f"{path}: cannot read ({error.strerror})") from error
    return path


def require_folder(path: Path | str) -> Path:
    """Return ``path`` when it is a folder.

    Raises:
        InputError: there is no such folder, or it is a file.
    """
    path = Path(path)
    if path.is_file():
        raise InputError(f"{path}: is a file; expected a folder")
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; check the path")
    return path


def file_sha256(path: Path | str, hashed: Callable[[int], object] = lambda done: None) -> str:
    """Hash a file's bytes; ``hashed`` is called with the number of bytes done as it goes on.

    Raises:
        RunError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
                hashed(stream.tell())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from error
    return digest.hexdigest()


def text_sha256(text: str) -> str:
    """Hash a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


Progress = Callable[[int, int, str], None]
"""Called with (done, total, what) as work goes on."""


def no_progress(done: int, total: int, what: str) -> None:
    """The progress callback of those who do not want one."""
