"""The jobs of the page: a bounded first-come, first-served queue with one worker, which leaves no files behind."""

from __future__ import annotations

import contextlib
import logging
import re
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
from dplass_cli.errors import DplassError
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.presence import Presence
from dplass_cli.separation.queries import Query
from dplass_cli.server.recording_store import QueueFull, RecordingStore, StoredRecording, new_folder

_log = logging.getLogger(__name__)

State = Literal["queued", "running", "done", "failed"]

ABANDONED_SECONDS = 150.0
"""An unfinished job that no client has asked about for this long is cancelled: its page was closed."""

_MAX_FINISHED = 32  # jobs whose files are kept
_LEAST_DONE = 0.1  # progress from which the remaining time is estimated; the first window takes longer than others
_EXPIRY_INTERVAL = 1.0  # seconds


class JobNotFound(DplassError, KeyError):
    """There is no such job: it never existed, was cancelled, or has expired."""

    def __str__(self) -> str:
        return "no such job: it was cancelled or has expired; send the recording again"


class JobCancelled(Exception):
    """Raised inside a running job to end it."""


@dataclass(frozen=True)
class Sound:
    """One sound of a finished job.

    Attributes:
        name: its name in URLs.
        kind: ``recording``; ``target`` of a query; ``removed``: a sound that a query removes or turns down; or
            ``residual``.
        audio: wav file.
        picture: PNG of its spectrogram.
        query: what a target was separated by, or the sound that is removed.
        adapter: the adapter that served the query, or the weights of several; None for the base.
        clipped: number of samples that were limited to full scale.
        presence: whether the recording contains the sound; None where that is not defined.
        understood: what the query was taken to ask for, where its words are not a description.
        unknown: a note on each sentence of the query that the encoder does not know.
        removes: the names of the sounds that this target is without or has less of.
        reduce_db: how far a removed sound is turned down instead, dB.
    """

    name: str
    kind: Literal["recording", "target", "removed", "residual"]
    audio: Path
    picture: Path
    query: str | None = None
    adapter: Activation = None
    clipped: int = 0
    presence: Presence | None = None
    understood: str | None = None
    unknown: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    reduce_db: float | None = None


@dataclass(eq=False)
class SeparationJob:
    """One recording and its queries.

    Attributes:
        id: random and unguessable.
        folder: contains all files of the job.
        name: the recording's name, for downloads.
        queries: what to separate.
        consistent: the targets share the recording, so that no sound is in two of them.
        info: header of the recording.
        state: where the job is in its life.
        step: what is being done while it runs.
        fraction: share of the step that is done, 0 to 1.
        progress: share of the job that is done, 0 to 1.
        started: when it began to run, in seconds of the queue's clock.
        reported: when it last reported its progress, in seconds of the queue's clock.
        error: why it failed, one line.
        sounds: the results.
        last_used: when a client last asked about it, in seconds of the queue's clock.
        cancelled: it is to stop, and its files are to be removed.
    """

    id: str
    folder: Path
    name: str = ""
    queries: tuple[Query, ...] = ()
    consistent: bool = False
    info: AudioInfo | None = None
    state: State = "queued"
    step: str = ""
    fraction: float = 0.0
    progress: float = 0.0
    started: float = 0.0
    reported: float = 0.0
    error: str = ""
    sounds: tuple[Sound, ...] = ()
    last_used: float = 0.0
    cancelled: bool = False

    @property
    def upload(self) -> Path:
        """The recording as it was sent. It has no suffix: its content determines the format."""
        return self.folder / "upload"

    @property
    def finished(self) -> bool:
        """Whether the job is done or failed."""
        return self.state in ("done", "failed")


ReportStep = Callable[[str, float, float], None]
"""Called with (step, share of it that is done, share of the job that is done); raises :class:`JobCancelled` in a
cancelled job."""

JobRunner = Callable[[SeparationJob, ReportStep], tuple[Sound, ...]]
"""Runs a job in its folder, reports its steps, and lets :class:`JobCancelled` end it."""


class JobQueue:
    """Accepts jobs and runs them one after the other; a context that removes all files at its end.

    Args:
        runner: runs a job.
        folder: contains the folders of jobs and recordings; it is removed at the end.
        max_waiting: how many jobs may wait or be uploaded at a time, and how many recordings may be uploaded.
        keep_seconds: how long a finished job or a recording is kept after a client last asked about it.

    Attributes:
        recordings: recordings that jobs can be made of.
    """

    def __init__(
        self,
        runner: JobRunner,
        folder: Path,
        max_waiting: int = 8,
        keep_seconds: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner, self._folder, self._clock = runner, folder, clock
        self._max_waiting, self._keep_seconds = max_waiting, keep_seconds
        self.recordings = RecordingStore(folder, max_waiting, keep_seconds, clock)
        self._jobs: dict[str, SeparationJob] = {}
        self._queue: deque[SeparationJob] = deque()
        self._running: SeparationJob | None = None
        self._uploading = 0
        self._closed = threading.Event()
        self._changed = threading.Condition()
        targets = (self._run_jobs, self._expire_periodically)
        self._threads = [threading.Thread(target=target, daemon=True) for target in targets]

    def __enter__(self) -> JobQueue:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            for job in self._jobs.values():
                job.cancelled = True
        # Once now, because the running job ends only after its window and the process may be killed before that; and
        # once more for what that job still wrote.
        shutil.rmtree(self._folder, ignore_errors=True)
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def admit(self) -> Iterator[SeparationJob]:
        """Reserve a place during an upload; the job is queued when the block ends without an error.

        Raises:
            QueueFull: too many recordings are waiting.
        """
        with self._changed:
            if self._closed.is_set() or self._uploading + len(self._queue) >= self._max_waiting:
                raise QueueFull("too many recordings are waiting; try again in a minute")
            self._folder.mkdir(mode=0o700, exist_ok=True)  # the system may have cleaned up its temporary files
            self._uploading += 1
        try:
            with new_folder(self._folder) as folder:
                job = SeparationJob(folder.name, folder)
                yield job
                with self._changed:
                    job.last_used = self._clock()
                    self._jobs[job.id] = job
                    self._queue.append(job)
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._uploading -= 1

    def find(self, job_id: str) -> SeparationJob:
        """The job of an id, or JobNotFound; asking for it postpones its expiry."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                raise JobNotFound
            job.last_used = self._clock()
            return job

    def add(self, recording: StoredRecording, queries: tuple[Query, ...], consistent: bool = False) -> SeparationJob:
        """Queue a job for a recording, which may then be dropped; QueueFull if too many are waiting."""
        with self.admit() as job:
            recording.link_to(job.upload)
            job.name, job.queries, job.info = recording.name, queries, recording.info
            job.consistent = consistent
        return job

    def seconds_left(self, job: SeparationJob) -> float | None:
        """An estimate of how long a running job still takes, in seconds; None until there is one."""
        if job.state != "running" or job.progress < _LEAST_DONE:
            return None
        left = (job.reported - job.started) * (1.0 - job.progress) / job.progress
        return max(0.0, left - (self._clock() - job.reported))

    def jobs_ahead(self, job: SeparationJob) -> int:
        """How many jobs will be run before this one, the running one included."""
        with self._changed:
            return self._queue.index(job) + (self._running is not None) if job in self._queue else 0

    def drop(self, job_id: str) -> None:
        """Remove a job and its files, or raise JobNotFound; cancel it if it is not finished."""
        with self._changed:
            job = self._jobs.pop(job_id, None)
            if job is None:
                raise JobNotFound
            job.cancelled = True
            if job in self._queue:
                self._queue.remove(job)
            if job is not self._running:  # otherwise the worker removes the files once it has stopped writing
                shutil.rmtree(job.folder, ignore_errors=True)

    def expire(self) -> None:
        """Drop the jobs that no client has asked about for too long, and the oldest finished ones beyond 32."""
        with self._changed:
            now = self._clock()
            finished = sorted((job for job in self._jobs.values() if job.finished), key=lambda job: job.last_used)
            expired = finished[:-_MAX_FINISHED]
            for job in self._jobs.values():
                limit = self._keep_seconds if job.finished else ABANDONED_SECONDS
                if now - job.last_used > limit and job not in expired:
                    expired.append(job)
            for job in expired:
                self.drop(job.id)
        self.recordings.expire()

    def _expire_periodically(self) -> None:
        while not self._closed.wait(_EXPIRY_INTERVAL):
            self.expire()

    def _run_jobs(self) -> None:
        while (job := self._next_job()) is not None:
            sounds: tuple[Sound, ...] = ()
            error = ""
            try:
                sounds = self._runner(job, self._reporter(job))
            except JobCancelled:
                pass
            except DplassError as failure:
                error = without_paths(failure, job.folder)
            except Exception:  # a bug in one job must not end the worker; the traceback goes to the server's log
                if not job.cancelled:
                    _log.exception("a separation failed")
                error = "the separation failed; the server's log says why"
            self._finish(job, sounds, error)

    def _next_job(self) -> SeparationJob | None:
        """Wait for a job; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or bool(self._queue))
            if self._closed.is_set():
                return None
            self._running = self._queue.popleft()
            self._running.state, self._running.started = "running", self._clock()
            return self._running

    def _reporter(self, job: SeparationJob) -> ReportStep:
        def report(step: str, fraction: float, progress: float) -> None:
            if job.cancelled:
                raise JobCancelled
            job.step, job.fraction, job.progress, job.reported = step, fraction, progress, self._clock()

        return report

    def _finish(self, job: SeparationJob, sounds: tuple[Sound, ...], error: str) -> None:
        with self._changed:
            self._running = None
            job.sounds, job.error, job.state = sounds, error, "failed" if error else "done"
            job.step, job.fraction = "", 0.0 if error else 1.0
            job.progress = job.fraction
            job.last_used = self._clock()
            if job.cancelled or error:
                shutil.rmtree(job.folder, ignore_errors=True)


def without_paths(error: Exception, folder: Path) -> str:
    """An error's message on one line, in which "the recording" replaces the paths of the server's files."""
    message = re.sub(re.escape(str(folder)) + r"[^\s:]*", "the recording", str(error))
    return " ".join(message.split())
