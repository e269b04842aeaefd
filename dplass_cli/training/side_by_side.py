"""Trainings side by side, each in a process of its own: one a device, the next when a device is free."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from typing import Any

from dplass_cli.errors import DplassError, RunError, some
from dplass_cli.storage import Progress


@dataclass(frozen=True)
class DeviceShare:
    """What a process may use: a device by name, and so many threads."""

    device: str
    threads: int


Work = Callable[[Any, str, DeviceShare, Progress], None]
"""(options, job, share, progress): does a job; must be importable, as the process begins anew."""


def side_by_side(
    shares: Sequence[DeviceShare], jobs: Sequence[str], work: Work, options: Any, progress: Progress
) -> None:
    """Do jobs, as many at a time as there are shares. A job that fails does not stop the others.

    Raises:
        RunError: jobs that failed, with the first reason, after all others are done.
        KeyboardInterrupt: asked to stop; the processes have saved and ended.
    """
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[tuple[str, Any]] = context.Queue()
    waiting, free = list(jobs), list(shares)
    running: dict[str, tuple[SpawnProcess, DeviceShare]] = {}
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and free:
                job, share = waiting.pop(0), free.pop(0)
                process = context.Process(target=_aside, args=(work, options, job, share, told))
                process.start()
                running[job] = process, share
            _listen(told, failed, progress)
            for job, (process, _) in list(running.items()):
                if not process.is_alive():
                    process.join()
                    if process.exitcode:
                        failed.setdefault(job, f"its process ended with {process.exitcode}")
                    free.append(running.pop(job)[1])
        _listen(told, failed, progress)
    except BaseException:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()
        raise
    if failed:
        reasons = [f"{job}: {reason}" for job, reason in failed.items()]
        raise RunError(f"{len(failed)} of {len(jobs)} domains failed: {some(reasons, 3)}; mend it and --resume")


def _listen(told: Any, failed: dict[str, str], progress: Progress) -> None:
    """Pass on what processes have told within a moment."""
    ends = time.monotonic() + 0.2
    try:
        while (left := ends - time.monotonic()) > 0:
            kind, content = told.get(timeout=left)
            if kind == "failed":
                failed[content[0]] = content[1]
            else:
                progress(*content)
    except queue.Empty:
        return


def _end_with_the_first() -> None:
    """End at once where the first process was killed: the run that resumes it would meet this one at its files."""
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os._exit(1)


def _aside(work: Work, options: Any, job: str, share: DeviceShare, told: Any) -> None:
    """A process: its end says whether the job is done; what stops it is told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process passes a stop on, once
    threading.Thread(target=_end_with_the_first, daemon=True).start()

    def progress(done: int, total: int, what: str) -> None:
        told.put(("progress", (done, total, what)))

    try:
        work(options, job, share, progress)
    except KeyboardInterrupt:
        raise SystemExit(3) from None
    except DplassError as error:
        told.put(("failed", (job, str(error))))
        raise SystemExit(error.exit_code) from error
