"""The jobs of the page: a bounded queue, first come first served, one worker, and nothing left behind."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from dplass_cli.audio.reading import AudioInfo
from dplass_cli.errors import DplassError, RunError
from dplass_cli.separation.bank import Activation

_log = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed"]

PATIENCE_SECONDS = 150.0  # a job under way that nobody asked about for so long has no page any more
_FINISHED_AT_MOST = 32  # whose files are kept
_TIDIED_EVERY = 1.0


class Busy(RunError):
    """The queue is full."""


class Unknown(DplassError, KeyError):
    """No such job: it never was, was cancelled, or has expired."""

    def __str__(self) -> str:
        return "no such job: it was cancelled or has expired; send the recording again"


class Stopped(Exception):
    """Ends the work on a job that nobody wants any more."""


@dataclass(frozen=True)
class Sound:
    """A sound to hear: the recording, a target, or the residual.

    Attributes:
        name: in addresses. kind: ``recording``, ``target`` or ``residual``. query: of a target.
        audio: a wav file. picture: a PNG of its spectrogram.
        adapter: what served the query. clipped: samples that were limited to full scale.
    """

    name: str
    kind: Literal["recording", "target", "residual"]
    audio: Path
    picture: Path
    query: str | None = None
    adapter: Activation = None
    clipped: int = 0


@dataclass(eq=False)
class SeparationJob:
    """One recording and its queries.

    Attributes:
        id: unguessable. folder: of all its files. upload: the recording as it was sent. info: what its header says.
        step, fraction: what is being done, and how much of it. error: one line, of a job that failed.
        touched: when somebody last asked about it.
    """

    id: str
    folder: Path
    queries: tuple[str, ...] = ()
    info: AudioInfo | None = None
    state: State = "queued"
    step: str = ""
    fraction: float = 0.0
    error: str = ""
    sounds: tuple[Sound, ...] = ()
    touched: float = 0.0
    stopped: bool = False

    @property
    def upload(self) -> Path:
        """The recording as it was sent. It has no suffix: the content tells what it is."""
        return self.folder / "upload"

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in ("done", "failed")


Tell = Callable[[str, float], None]
Work = Callable[[SeparationJob, Tell], tuple[Sound, ...]]
"""Does a job in its folder, telling (step, fraction) as it goes on; what :data:`Tell` raises must end it."""


class Jobs:
    """Takes jobs and does them one after the other; a context, at whose end all files are gone.

    Args:
        work: what to do. folder: for the files; it is removed at the end.
        waiting: how many may wait or be on their way here.
        keep_seconds: how long a finished job is kept after somebody last asked about it.
        clock: seconds.
    """

    def __init__(
        self,
        work: Work,
        folder: Path,
        waiting: int = 8,
        keep_seconds: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._folder, self._clock = work, folder, clock
        self._waiting, self._keep_seconds = waiting, keep_seconds
        self._jobs: dict[str, SeparationJob] = {}
        self._queue: deque[SeparationJob] = deque()
        self._running: SeparationJob | None = None
        self._arriving = 0
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._run, self._keep_tidy)]

    def __enter__(self) -> Jobs:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            for job in self._jobs.values():
                job.stopped = True
        shutil.rmtree(self._folder, ignore_errors=True)  # first: who stops the server may not wait for a long window
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def admit(self) -> Iterator[SeparationJob]:
        """Hold a place for a recording that is on its way; the job is queued when the block ends without an error.

        Raises:
            Busy: there is no place.
        """
        with self._changed:
            if self._closed.is_set() or self._arriving + len(self._queue) >= self._waiting:
                raise Busy("too many recordings are waiting; try again in a minute")
            self._folder.mkdir(mode=0o700, exist_ok=True)  # cleaners of temporary folders take what is old
            self._arriving += 1
        identity = secrets.token_urlsafe(16)
        job = SeparationJob(identity, self._folder / identity)
        try:
            job.folder.mkdir(mode=0o700)
            yield job
            with self._changed:
                job.touched = self._clock()
                self._jobs[job.id] = job
                self._queue.append(job)
                self._changed.notify_all()
        except BaseException:
            shutil.rmtree(job.folder, ignore_errors=True)
            raise
        finally:
            with self._changed:
                self._arriving -= 1

    def find(self, identity: str) -> SeparationJob:
        """The job of an id; asking keeps it.

        Raises:
            Unknown: there is none.
        """
        with self._changed:
            job = self._jobs.get(identity)
            if job is None:
                raise Unknown
            job.touched = self._clock()
            return job

    def ahead(self, job: SeparationJob) -> int:
        """How many jobs come before this one."""
        with self._changed:
            return self._queue.index(job) + (self._running is not None) if job in self._queue else 0

    def drop(self, identity: str) -> None:
        """Cancel a job if it is under way, and remove its files.

        Raises:
            Unknown: there is none.
        """
        with self._changed:
            job = self._jobs.pop(identity, None)
            if job is None:
                raise Unknown
            job.stopped = True
            if job in self._queue:
                self._queue.remove(job)
            if job is not self._running:
                shutil.rmtree(job.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Drop what nobody asked about for long, and the oldest of too many that are finished."""
        with self._changed:
            now = self._clock()
            finished = sorted((job for job in self._jobs.values() if job.ended), key=lambda job: job.touched)
            late = finished[:-_FINISHED_AT_MOST]
            for job in self._jobs.values():
                if now - job.touched > (self._keep_seconds if job.ended else PATIENCE_SECONDS) and job not in late:
                    late.append(job)
            for job in late:
                self.drop(job.id)

    def _keep_tidy(self) -> None:
        while not self._closed.wait(_TIDIED_EVERY):
            self.tidy()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            sounds: tuple[Sound, ...] = ()
            error = ""
            try:
                sounds = self._work(job, lambda step, fraction, job=job: self._tell(job, step, fraction))  # type: ignore[misc]
            except Stopped:
                pass
            except DplassError as wrong:
                error = without_paths(wrong, job.folder)
            except Exception:  # the worker outlives every job; what escaped is in the server's log
                if not job.stopped:
                    _log.exception("a separation failed")
                error = "the separation failed; the server's log says why"
            self._end(job, sounds, error)

    def _next(self) -> SeparationJob | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or bool(self._queue))
            if self._closed.is_set():
                return None
            self._running = self._queue.popleft()
            self._running.state = "running"
            return self._running

    def _tell(self, job: SeparationJob, step: str, fraction: float) -> None:
        if job.stopped:
            raise Stopped
        job.step, job.fraction = step, fraction

    def _end(self, job: SeparationJob, sounds: tuple[Sound, ...], error: str) -> None:
        with self._changed:
            self._running = None
            job.sounds, job.error, job.state = sounds, error, "failed" if error else "done"
            job.step, job.fraction = "", 0.0 if error else 1.0
            job.touched = self._clock()
            if job.stopped or error:
                shutil.rmtree(job.folder, ignore_errors=True)


def without_paths(error: Exception, folder: Path) -> str:
    """What an error says, on one line, without where the server keeps its files."""
    said = re.sub(re.escape(str(folder)) + r"[^\s:]*", "the recording", str(error))
    return " ".join(said.split())
