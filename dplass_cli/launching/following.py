"""Following tasks to their end: one record of all of them, and restarts of those that were lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.launching.engine import Engine, Status
from dplass_cli.launching.task import Task
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.storage import locked, make_folder, read_json, write_json

RECORD = "launch.json"


@dataclass(frozen=True)
class TaskRecord:
    """What is known of a task.

    Attributes:
        name: of the task.
        job: its id at the engine; empty before it is started.
        state: ``waiting``, ``running``, ``done``, ``lost`` or ``failed``.
        starts: how often it was started.
        reason: why it ended the last time, where that was before its work was done.
        log: its output.
    """

    name: str
    job: str = ""
    state: str = "waiting"
    starts: int = 0
    reason: str = ""
    log: str = ""


@dataclass(frozen=True)
class LaunchRecord:
    """The launch in a folder, written to ``launch.json``.

    Attributes:
        engine: ``local``, ``slurm`` or ``ray``.
        words: the verb and its options.
        tasks: a record of each task.
    """

    engine: str
    words: tuple[str, ...]
    tasks: tuple[TaskRecord, ...] = field(default=())


Report = Callable[[Sequence[TaskRecord]], None]
"""Receives the records of all tasks whenever one has changed."""


class Launch:
    """Tasks that are followed to their end; another launch of the same command in the same folder continues it.

    Args:
        folder: of the record and the logs.
        engine: where tasks run.
        name: of the engine.
        words: the verb and its options.
        tasks: the tasks.
        retries: how often a lost task is started again.
        poll_seconds: between two looks at the jobs.

    Raises:
        InputError: the folder contains a launch of another command.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        name: str,
        words: Sequence[str],
        tasks: Sequence[Task],
        retries: int,
        poll_seconds: float,
    ) -> None:
        self.folder, self._engine, self._retries, self._poll = make_folder(folder), engine, retries, poll_seconds
        self._tasks = {task.name: task for task in tasks}
        self._path = folder / RECORD
        fresh = LaunchRecord(name, tuple(words), tuple(TaskRecord(task.name, log=str(task.log)) for task in tasks))
        self._record = self._earlier(fresh) if self._path.exists() else fresh

    def _earlier(self, fresh: LaunchRecord) -> LaunchRecord:
        """The record of an earlier process. Failed tasks, and with most engines running ones, are started again."""
        earlier = from_mapping(LaunchRecord, read_json(self._path), str(self._path))
        names = [task.name for task in fresh.tasks]
        if earlier.words != fresh.words or [task.name for task in earlier.tasks] != names:
            raise InputError(f"{self.folder}: contains the launch of another command; choose another --folder")
        kept = {"done"} | (
            {"waiting", "running"} if self._engine.survives and earlier.engine == fresh.engine else set()
        )
        tasks = zip(earlier.tasks, fresh.tasks, strict=True)
        return replace(fresh, tasks=tuple(old if old.state in kept else new for old, new in tasks))

    def follow(self, report: Report) -> tuple[TaskRecord, ...]:
        """Start what is not started, and wait until every task is done, has failed, or was lost too often.

        Raises:
            InputError: another process follows this launch.
            KeyboardInterrupt: interrupted; jobs that cannot be followed again have ended.
        """

        def refuse() -> None:
            raise InputError(f"{self.folder}: another process follows this launch; wait for it to end")

        with locked(self.folder / ".lock", refuse):
            self._write(self._record.tasks)
            report(self._record.tasks)
            try:
                while any(task.state in ("waiting", "running") for task in self._record.tasks):
                    before = self._record.tasks
                    after = tuple(map(self._start, before))
                    self._write(after)  # job ids first: jobs that nobody knows of would run twice
                    after = self._looked_at(after)
                    self._write(after)
                    if after != before:
                        report(after)
                    if any(task.state in ("waiting", "running") for task in after):
                        time.sleep(self._poll)
            finally:
                if not self._engine.survives:
                    self._engine.stop([task.job for task in self._record.tasks if task.job])
        return self._record.tasks

    def _start(self, task: TaskRecord) -> TaskRecord:
        if task.state != "waiting" or task.job:
            return task
        if self._tasks[task.name].last:
            others = [other for other in self._record.tasks if other.name != task.name]
            if any(other.state in ("failed", "lost") for other in others):
                return replace(task, state="failed", reason="a task that it needs is not done")
            if any(other.state != "done" for other in others):
                return task
        return replace(task, job=self._engine.start(self._tasks[task.name]), starts=task.starts + 1)

    def _looked_at(self, tasks: Sequence[TaskRecord]) -> tuple[TaskRecord, ...]:
        active = [task for task in tasks if task.state in ("waiting", "running") and task.job]
        found = zip(active, self._engine.status([task.job for task in active]), strict=True)
        changed = {task.name: self._after(task, status) for task, status in found}
        return tuple(changed.get(task.name, task) for task in tasks)

    def _after(self, task: TaskRecord, status: Status) -> TaskRecord:
        """A task's record after a look at its job; a lost task waits for its next start."""
        if status.state == "lost" and task.starts <= self._retries:
            self._engine.stop([task.job])  # the engine may be about to start the job again itself
            return replace(task, state="waiting", job="", reason=status.reason)
        return replace(task, state=status.state, reason=status.reason or task.reason)

    def _write(self, tasks: tuple[TaskRecord, ...]) -> None:
        self._record = replace(self._record, tasks=tasks)
        write_json(self._path, to_mapping(self._record))
