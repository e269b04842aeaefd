"""Following tasks: restarts of lost ones, failures, and continuing the launch of an earlier process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.launching.engine import Status, status_of_exit
from dplass_cli.launching.following import Launch, TaskRecord
from dplass_cli.launching.task import Task
from dplass_cli.storage import read_json


class ScriptedEngine:
    """Jobs whose statuses are given: {task: a list per start, of what successive looks see}."""

    def __init__(self, scripts: dict[str, list[list[Status]]], survives: bool = False) -> None:
        self.scripts, self.survives = scripts, survives
        self.jobs: list[list[Status]] = []
        self.stopped: list[str] = []

    def start(self, task: Task) -> str:
        self.jobs.append(list(self.scripts[task.name].pop(0)))
        return str(len(self.jobs) - 1)

    def status(self, jobs: Sequence[str]) -> list[Status]:
        looks = [self.jobs[int(job)] for job in jobs]
        return [look.pop(0) if len(look) > 1 else look[0] for look in looks]

    def stop(self, jobs: Sequence[str]) -> None:
        self.stopped += jobs


RUNNING, DONE, LOST = Status("running"), Status("done"), Status("lost", "preempted")


def launch(folder: Path, engine: ScriptedEngine, retries: int = 2, words: Sequence[str] = ("embed",)) -> Launch:
    tasks = [Task(name, ("true",), folder / f"{name}.log") for name in ("a", "b")]
    return Launch(folder, engine, "scripted", words, tasks, retries, poll_seconds=0)


def ended(records: Sequence[TaskRecord]) -> list[tuple[str, int, str]]:
    return [(task.state, task.starts, task.reason) for task in records]


def test_all_tasks_are_started_and_followed_to_their_end(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    followed = launch(tmp_path, ScriptedEngine({"a": [[RUNNING, DONE]], "b": [[DONE]]}))
    records = followed.follow(lambda tasks: seen.append([task.state for task in tasks]))
    assert ended(records) == [("done", 1, ""), ("done", 1, "")]
    assert seen == [["waiting", "waiting"], ["running", "done"], ["done", "done"]]


def test_a_lost_task_is_started_again_after_its_job_is_stopped(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[RUNNING, LOST], [RUNNING, DONE]], "b": [[DONE]]}, survives=True)
    records = launch(tmp_path, engine).follow(lambda tasks: None)
    assert ended(records) == [("done", 2, "preempted"), ("done", 1, "")]
    assert engine.stopped == ["0"]


def test_a_task_that_is_lost_too_often_is_given_up(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[LOST], [LOST], [LOST]], "b": [[DONE]]})
    records = launch(tmp_path, engine).follow(lambda tasks: None)
    assert ended(records) == [("lost", 3, "preempted"), ("done", 1, "")]


def test_a_failed_task_is_not_started_again(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[status_of_exit(2)]], "b": [[DONE]]})
    assert ended(launch(tmp_path, engine).follow(lambda tasks: None))[0] == ("failed", 1, "exit code 2")


@pytest.mark.parametrize(
    ("code", "state"), [(0, "done"), (1, "failed"), (2, "failed"), (3, "lost"), (-9, "lost"), (143, "lost")]
)
def test_interrupted_and_killed_processes_are_lost(code: int, state: str) -> None:
    assert status_of_exit(code).state == state


class Stop(Exception):
    """Ends the process that follows."""


def interrupted(folder: Path, engine: ScriptedEngine) -> None:
    def stop(tasks: Sequence[TaskRecord]) -> None:
        if any(task.state == "done" for task in tasks):
            raise Stop

    with pytest.raises(Stop):
        launch(folder, engine).follow(stop)


def test_jobs_that_survive_are_followed_again(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[RUNNING]], "b": [[DONE]]}, survives=True)
    interrupted(tmp_path, engine)
    assert engine.stopped == []
    engine.jobs[0][:] = [DONE]
    assert ended(launch(tmp_path, engine).follow(lambda tasks: None)) == [("done", 1, ""), ("done", 1, "")]


def test_other_jobs_are_stopped_and_started_again(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[RUNNING], [DONE]], "b": [[DONE]]})
    interrupted(tmp_path, engine)
    assert set(engine.stopped) == {"0", "1"}
    launch(tmp_path, engine).follow(lambda tasks: None)
    assert len(engine.jobs) == 3
    assert [task["state"] for task in read_json(tmp_path / "launch.json")["tasks"]] == ["done", "done"]


def test_the_launch_of_another_command_is_refused(tmp_path: Path) -> None:
    launch(tmp_path, ScriptedEngine({"a": [[DONE]], "b": [[DONE]]})).follow(lambda tasks: None)
    with pytest.raises(InputError, match="contains the launch of another command; choose another --folder"):
        launch(tmp_path, ScriptedEngine({}), words=("embed", "other.json"))


def test_the_last_task_starts_when_the_others_are_done(tmp_path: Path) -> None:
    engine = ScriptedEngine({"a": [[RUNNING, LOST], [DONE]], "b": [[DONE]]})
    tasks = [Task("a", ("true",), tmp_path / "a.log"), Task("b", ("true",), tmp_path / "b.log", last=True)]
    seen: list[tuple[str, ...]] = []
    Launch(tmp_path, engine, "scripted", ("prepare",), tasks, 2, 0).follow(
        lambda records: seen.append(tuple(f"{task.state}{task.starts}" for task in records))
    )
    assert seen == [
        ("waiting0", "waiting0"),
        ("running1", "waiting0"),
        ("waiting1", "waiting0"),
        ("done2", "waiting0"),
        ("done2", "done1"),
    ]


def test_the_last_task_fails_where_another_does(tmp_path: Path) -> None:
    tasks = [Task("a", ("true",), tmp_path / "a.log"), Task("b", ("true",), tmp_path / "b.log", last=True)]
    launched = Launch(tmp_path, ScriptedEngine({"a": [[status_of_exit(2)]]}), "scripted", ("prepare",), tasks, 2, 0)
    assert ended(launched.follow(lambda records: None)) == [
        ("failed", 1, "exit code 2"),
        ("failed", 0, "a task that it needs is not done"),
    ]
