"""Locks on files, on every platform. The operating system releases them when a process ends, however that happens."""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Error codes of file systems that have no locks."""

_POLL_SECONDS = 0.02


def try_lock(path: Path) -> BaseFileLock | None:
    """Lock a file, which is created if needed; None if another process or thread holds the lock.

    Raises:
        OSError: the file cannot be created, or its file system has no locks.
    """
    from filelock import FileLock, Timeout  # here: a verb that only reads needs no locks

    # A soft lock, which is a file that exists, would outlive a killed process.
    lock = FileLock(path, blocking=False, poll_interval=_POLL_SECONDS, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def lock_if_possible(path: Path) -> BaseFileLock | None:
    """Lock a file like :func:`try_lock`; None also if its file system has no locks."""
    try:
        return try_lock(path)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise


def wait_for_lock(path: Path) -> BaseFileLock:
    """Lock a file like :func:`try_lock`, and wait while another process or thread holds the lock."""
    while (lock := try_lock(path)) is None:
        time.sleep(_POLL_SECONDS)
    return lock


def remove_locked(lock: BaseFileLock) -> None:
    """Remove the file of a lock and release it. A process that waits for it notices, and creates the file again."""
    with contextlib.suppress(OSError):  # Windows removes no file that is open, but the release does
        Path(lock.lock_file).unlink()
    lock.release()
