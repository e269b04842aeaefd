"""Tasks as processes on this machine, a few at a time."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dplass_cli.launching.engine import Status, status_of_exit
from dplass_cli.launching.task import Task, stop


class LocalEngine:
    """Runs tasks as child processes.

    Args:
        parallel: how many run at the same time; 0: all.
        gpus: number of GPUs to spread them over; each task sees only its own. 0: every task sees all.
    """

    survives = False

    def __init__(self, parallel: int = 0, gpus: int = 0) -> None:
        self._parallel, self._gpus = parallel, gpus
        self._gpu_of: dict[int, int] = {}
        self._tasks: list[Task] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, task: Task) -> str:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        self._tasks.append(task)
        self._start_waiting()
        return str(len(self._tasks) - 1)

    def status(self, jobs: Sequence[str]) -> list[Status]:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        self._start_waiting()
        return [self._status(int(job)) for job in jobs]

    def stop(self, jobs: Sequence[str]) -> None:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        started = [self._processes[int(job)] for job in jobs if int(job) in self._processes]
        for process in started:
            if process.poll() is None:
                process.terminate()  # all of them first, so that they save at the same time
        for process in started:
            stop(process)

    def process(self, job: str) -> subprocess.Popen[bytes]:
        """The process of a job that was started."""
        return self._processes[int(job)]

    def _status(self, job: int) -> Status:
        if job not in self._processes:
            return Status("waiting")
        code = self._processes[job].poll()
        return Status("running") if code is None else status_of_exit(code)

    def _start_waiting(self) -> None:
        running = {job for job, process in self._processes.items() if process.poll() is None}
        for job, task in enumerate(self._tasks):
            if job not in self._processes and (not self._parallel or len(running) < self._parallel):
                if self._gpus:
                    task = self._on_a_gpu(job, task, running)
                self._processes[job] = task.start()
                running.add(job)

    def _on_a_gpu(self, job: int, task: Task, running: Iterable[int]) -> Task:
        """The task with the GPU that the fewest running ones have."""
        busy = Counter(self._gpu_of[other] for other in running)
        self._gpu_of[job] = gpu = min(range(self._gpus), key=lambda gpu: busy[gpu])
        return replace(task, environment={**task.environment, "CUDA_VISIBLE_DEVICES": str(gpu)})
