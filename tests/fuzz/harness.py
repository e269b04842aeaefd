"""Runs a reader on arbitrary bytes and reports violations of the rules that all readers must keep.

A reader may raise a :class:`DplassError` with a one-line, printable message. Everything else is a finding: another
exception, more than five seconds of work, more than a gigabyte of memory, a write outside the reader's folder, a
started program, an opened connection. Python's audit events reveal the last three, also where a file executes code.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from dplass_cli.errors import DplassError, one_line

HERE = Path(__file__).parent
CORPUS, REPRODUCERS = HERE / "corpus", HERE / "reproducers"
SECONDS, BYTES, CHARACTERS = 5.0, 1 << 30, 4000

_FORBIDDEN_EVENTS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
}
_FILE_CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "shutil.rmtree",
}
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True)
class Target:
    """A fuzzed reader.

    Attributes:
        name: names the folders of its seeds.
        read: takes the bytes and a folder in which it may write.
    """

    name: str
    read: Callable[[bytes, Path], object]

    @property
    def seeds(self) -> list[Path]:
        """Small valid inputs, and inputs that once broke a rule."""
        return sorted((CORPUS / self.name).glob("*")) + sorted((REPRODUCERS / self.name).glob("*"))


@dataclass(frozen=True)
class Finding:
    """A broken rule.

    Attributes:
        kind: which rule.
        place: file and line of the package.
        detail: what happened.
    """

    kind: str
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.place}\n{self.detail}"


class Hang(BaseException):
    """More than five seconds of work."""


class _Watch:
    folder: str | None = None
    seen: list[str]  # collected, because the reader could catch an exception raised by the hook


_watch = _Watch()
_watch.seen = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch.folder is None:
        return
    if event in _FORBIDDEN_EVENTS:
        _watch.seen.append(f"{event} {arguments!r:.200}")
    elif event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITE_FLAGS and not _is_inside(path):
            _watch.seen.append(f"opens {path!r} to write")
    elif event in _FILE_CHANGES and not all(map(_is_inside, _changed(arguments))):
        _watch.seen.append(f"{event} {arguments!r:.200}")


def _changed(arguments: tuple[Any, ...]) -> Iterator[str | bytes]:
    """The paths that an event changes, without those relative to an open folder, whose descriptor follows them."""
    for path, following in zip(arguments, (*arguments[1:], None), strict=True):
        if isinstance(path, (str, bytes)) and not (
            isinstance(following, int) and following >= 0 and os.fsencode(path)[:1] != b"/"
        ):
            yield path


def _is_inside(path: object) -> bool:
    if not isinstance(path, (str, bytes, os.PathLike)):
        return True  # an open file descriptor
    place = os.path.abspath(os.fsdecode(path))
    return place == os.devnull or place.startswith(f"{_watch.folder}/") or place == _watch.folder


sys.addaudithook(_audit)


@contextmanager
def sandbox() -> Iterator[Path]:
    """A folder for a target's files, in memory where possible."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="dplass-fuzz-", dir=shared if os.access(shared, os.W_OK) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def attempt(target: Target, data: bytes, folder: Path) -> Finding | None:
    """Run a target on an input in a folder of its own: the rule that it broke, if any."""
    folder = folder / target.name
    folder.mkdir(exist_ok=True)
    _watch.folder, _watch.seen = str(folder), []
    began = time.process_time()
    try:
        with _limited():
            target.read(data, folder)
    except DplassError as error:
        message = one_line(str(error))
        if not (message and message.isprintable() and len(message) <= CHARACTERS):
            return Finding("not one line", _place(error), repr(message)[:500])
    except (Exception, Hang) as error:
        return Finding(type(error).__name__, _place(error), "".join(traceback.format_exception(error))[-3000:])
    finally:
        _watch.folder = None
    if _watch.seen:
        return Finding("forbidden", _watch.seen[0][:80], "\n".join(_watch.seen[:10]))
    seconds = time.process_time() - began
    return Finding("slow", target.name, f"{seconds:.1f} s") if seconds > SECONDS else None


@contextmanager
def _limited() -> Iterator[None]:
    """Limit memory to a gigabyte more than the process has, and the work to five seconds of processor time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resident = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    previous = signal.signal(signal.SIGPROF, _hang)
    resource.setrlimit(resource.RLIMIT_AS, (resident + BYTES, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, previous)


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang


def _place(error: BaseException) -> str:
    """The innermost line of the package in an error's traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "dplass_cli" in frame.filename] or list(frames)
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"


def keep(target: Target, data: bytes) -> Path:
    """Save an input that broke a rule: its path."""
    folder = REPRODUCERS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path
