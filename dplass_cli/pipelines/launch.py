"""``launch``: a verb as several tasks, on this machine or on a cluster, followed to their end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.launching.engine import Engine
from dplass_cli.launching.following import Launch, Report, TaskRecord
from dplass_cli.launching.splitting import split
from dplass_cli.launching.task import Task
from dplass_cli.options.launch_options import LaunchLocalOptions, LaunchOptions, LaunchRayOptions, LaunchSlurmOptions


@dataclass(frozen=True)
class LaunchResult:
    """Result of :func:`launch`.

    Attributes:
        engine: ``local``, ``slurm`` or ``ray``.
        folder: of the record and the logs.
        tasks: how each task ended; in a dry run, before its start.
        commands: {task: its command}.
    """

    engine: str
    folder: Path
    tasks: tuple[TaskRecord, ...]
    commands: dict[str, tuple[str, ...]]


def launch(options: LaunchOptions, report: Report) -> LaunchResult:
    """Start the tasks of a verb, or go on with those of an earlier launch, and follow them to their end.

    Args:
        options: the verb, and where it runs.
        report: receives the records of all tasks whenever one has changed.

    Raises:
        InputError: bad options, a missing extra or cluster, or another command's folder.
        RunError: a job is refused.
    """
    name = {LaunchLocalOptions: "local", LaunchSlurmOptions: "slurm", LaunchRayOptions: "ray"}[type(options)]
    folder = (options.folder or Path("launch") / (options.words[0] if options.words else "")).absolute()
    tasks = split(options.words, options.tasks, folder)
    commands = {task.name: task.command for task in tasks}
    if options.dry_run:
        planned = tuple(TaskRecord(task.name, log=str(task.log)) for task in tasks)
        return LaunchResult(name, folder, planned, commands)
    engine = _engine(options, folder, tasks)
    followed = Launch(folder, engine, name, options.words, tasks, options.retries, options.poll_seconds)
    return LaunchResult(name, folder, followed.follow(report), commands)


def _engine(options: LaunchOptions, folder: Path, tasks: list[Task]) -> Engine:
    if isinstance(options, LaunchSlurmOptions):
        from dplass_cli.launching.slurm_engine import SlurmEngine

        return SlurmEngine(folder / "slurm", options)
    if isinstance(options, LaunchRayOptions):
        from dplass_cli.launching.ray_engine import RayEngine

        return RayEngine(options)
    from dplass_cli.launching.local_engine import LocalEngine

    assert isinstance(options, LaunchLocalOptions)
    return LocalEngine(options.parallel, options.gpus)
