"""Jobs in parallel, each in its own process: one per device, and the next as soon as a device is free."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from dplass_cli.errors import DplassError, RunError, some
from dplass_cli.storage import Progress

Work = Callable[[Any, str, Progress], None]
"""(argument, device, progress): does a job. Must be importable: processes are spawned, not forked (CUDA forbids it)."""

_POLL_SECONDS = 0.2


def run_in_processes(work: Work, jobs: Mapping[str, Any], devices: Sequence[str], progress: Progress) -> None:
    """Run jobs, {name: argument of ``work``}, one at a time per device. A job that fails does not stop the others.

    Raises:
        RunError: some jobs failed, with the first reasons; raised after all others have finished.
        KeyboardInterrupt: interrupted; the processes have saved and ended.
    """
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[tuple[str, Any]] = context.Queue()
    waiting, free = list(jobs), list(devices)
    running: dict[str, tuple[SpawnProcess, str]] = {}
    failed: dict[str, str] = {}
    stops: dict[str, Any] = {}  # to the processes; closed when this one ends, even if it is killed
    try:
        while waiting or running:
            while waiting and free:
                job, device = waiting.pop(0), free.pop(0)
                orders, stops[job] = context.Pipe(duplex=False)
                process = context.Process(target=_run_job, args=(work, job, jobs[job], device, messages, orders))
                process.start()
                orders.close()
                running[job] = process, device
            _forward(messages, failed, progress)
            for job, (process, device) in list(running.items()):
                if not process.is_alive():
                    process.join()
                    if process.exitcode:
                        failed.setdefault(job, f"its process exited with code {process.exitcode}")
                    free.append(device)
                    stops.pop(job).close()
                    del running[job]
        _forward(messages, failed, progress)
    except BaseException:
        for job in running:
            with contextlib.suppress(OSError):  # it has just ended
                stops[job].send("stop")
        for process, _ in running.values():
            process.join()
        raise
    if failed:
        reasons = [f"{job}: {reason}" for job, reason in failed.items()]
        raise RunError(
            f"{len(failed)} of {len(jobs)} domains failed: {some(reasons, 3)}; fix the cause and rerun with --resume"
        )


def _forward(messages: Any, failed: dict[str, str], progress: Progress) -> None:
    """Forward the processes' messages that arrive within ``_POLL_SECONDS``.

    A deadline rather than "until the queue is empty": a job that reports all the time must not keep others waiting.
    """
    deadline = time.monotonic() + _POLL_SECONDS
    try:
        while (remaining := deadline - time.monotonic()) > 0:
            kind, content = messages.get(timeout=remaining)
            if kind == "failed":
                job, reason = content
                failed[job] = reason
            else:
                progress(*content)
    except queue.Empty:
        return


def _run_job(work: Work, job: str, argument: Any, device: str, messages: Any, orders: Connection[Any, Any]) -> None:
    """Body of a process: the exit code says whether the job is done; the reason of a failure is sent."""
    # Ctrl-C goes to the whole process group. The parent alone reacts to it and stops its children, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_obey, args=(orders,), daemon=True).start()

    def progress(done: int, total: int, what: str) -> None:
        messages.put(("progress", (done, total, what)))

    try:
        work(argument, device, progress)
    except KeyboardInterrupt:
        raise SystemExit(3) from None
    except DplassError as error:
        messages.put(("failed", (job, str(error))))
        raise SystemExit(error.exit_code) from error


def _obey(orders: Connection[Any, Any]) -> None:
    """Stop this process when the parent says so, as SIGTERM does; Windows would end it without saving.

    When the parent is killed, exit at once: a resumed run would write the same files as an orphan.
    """
    try:
        orders.recv()
    except (EOFError, OSError):
        os._exit(1)
    if hasattr(signal, "pthread_kill"):  # to the main thread, which may be waiting in a system call
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)
