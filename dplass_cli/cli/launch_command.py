"""``dplass launch``: a verb as several tasks, on this machine, a SLURM cluster or a Ray cluster."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from dplass_cli.cli.commands import VerbCommand, add_command
from dplass_cli.cli.console import VerbRun, plain_table
from dplass_cli.options.launch_options import LaunchLocalOptions, LaunchOptions, LaunchRayOptions, LaunchSlurmOptions

if TYPE_CHECKING:
    from dplass_cli.launching.following import TaskRecord

app = typer.Typer(no_args_is_help=True)


def _local(options: LaunchLocalOptions, run: VerbRun) -> None:
    """Run a verb as several processes on this machine, and restart those that are killed.

    Example: dplass launch local --tasks 4 embed train.json --output embeddings
    """
    _launch(options, run)


def _slurm(options: LaunchSlurmOptions, run: VerbRun) -> None:
    """Run a verb as SLURM jobs, and restart those that are preempted. Needs the extra: pip install 'dplass[slurm]'.

    Paths must be on a file system that all nodes share. Ctrl-C leaves the jobs running; the same command follows them
    again.

    Example: dplass launch slurm --gpus 1 train --data partition --workspace run --precision bf16-mixed
    """
    _launch(options, run)


def _ray(options: LaunchRayOptions, run: VerbRun) -> None:
    """Run a verb as tasks of a Ray cluster, and restart those whose node is lost. Needs the extra 'dplass[ray]'.

    Example: dplass launch ray --tasks 8 --gpus 1 evaluate --metadata-csv eval.csv --adapters run/bank --output measured
    """
    _launch(options, run)


def _launch(options: LaunchOptions, run: VerbRun) -> None:
    from dplass_cli.pipelines.launch import launch

    _check_words(options.words)
    with _Followed(live=sys.stderr.isatty() and not run.json) as followed:
        result = launch(options, followed)
    if options.dry_run:
        rows = [[task.name, shlex.join(result.commands[task.name])] for task in result.tasks]
        return run.table(result, ["task", "command"], rows, f"{result.folder}: nothing is started yet", left=2)
    run.result(result, lambda: _table(result.tasks))
    run.some_failed(_failure(task) for task in result.tasks if task.state != "done")


def _check_words(words: Sequence[str]) -> None:
    """Read the options of the verb as its tasks will, so that a mistake is found now, not when the queue gets to it."""
    from dplass_cli.cli.app import app

    if not words or words[0].startswith("-"):
        return  # splitting says what is missing
    context = typer.main.get_command(app).make_context("dplass", list(words))
    rest = list(words)
    while isinstance(context.command, TyperGroup):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None  # an unknown name is an error of its own
        context = command.make_context(name, list(rest), parent=context)
    if isinstance(context.command, VerbCommand):
        context.command.read(context.params)


def _failure(task: TaskRecord) -> str:
    """How a task failed, with the last line of its log, where verbs say why."""
    starts = f", started {task.starts} times" if task.starts > 1 else ""
    log = Path(task.log)
    lines = log.read_text("utf-8", errors="replace").split("\n") if log.is_file() else []
    said = next((f": {line.strip().removeprefix('dplass: ')}" for line in reversed(lines) if line.strip()), "")
    return f"{task.name}: {task.state} ({task.reason}{starts}){said}; see {log}"


class _Followed:
    """Shows tasks while they run: on a terminal as one table, otherwise as a line per change."""

    def __init__(self, live: bool) -> None:
        self._live: Any = None
        self._wanted, self._seen = live, dict[str, tuple[str, int]]()

    def __enter__(self) -> _Followed:
        if self._wanted:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True)
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, tasks: Sequence[TaskRecord]) -> None:
        if self._live is not None:
            self._live.update(_table(tasks))
            return
        for task in tasks:
            if self._seen.get(task.name) != (task.state, task.starts) and task.starts:
                because = f": {task.reason}" if task.reason and task.state != "done" else ""
                job = f" (job {task.job})" if task.job else ""
                typer.echo(f"{task.name}: {task.state}{job}{because}", err=True)
            self._seen[task.name] = task.state, task.starts


def _table(tasks: Sequence[TaskRecord]) -> Any:
    rows = [[task.name, task.state, task.job, task.starts, task.reason, task.log] for task in tasks]
    return plain_table(["task", "state", "job", "starts", "last ended because", "log"], rows, left=3)


_GO_ON = "the same command continues"
add_command(app, "local", _local, interrupted=f"the tasks have saved; {_GO_ON}", verbatim=True)
add_command(app, "slurm", _slurm, interrupted=f"the jobs run on; {_GO_ON} to follow them", verbatim=True)
add_command(app, "ray", _ray, interrupted=f"the tasks have saved; {_GO_ON}", verbatim=True)
