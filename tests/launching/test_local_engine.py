"""Tasks as processes on this machine: killed ones are started again, and the result is that of an undisturbed run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from fake_slurm import wait_until
from systems import needs_signals

from dplass_cli.launching.following import Launch, TaskRecord
from dplass_cli.launching.local_engine import LocalEngine
from dplass_cli.launching.task import Task

WORK = Path(__file__).parents[1] / "support" / "resumable_work.py"
SQUARES = " ".join(str(number**2) for number in range(10))


def work(folder: Path, name: str) -> Task:
    return Task(name, (sys.executable, "-S", str(WORK), str(folder / name)), folder / f"{name}.log")


def follow(folder: Path, *tasks: Task, parallel: int = 0) -> tuple[TaskRecord, ...]:
    engine = LocalEngine(parallel)
    return Launch(folder / "launch", engine, "local", ("work",), tasks, 2, 0.02).follow(lambda tasks: None)


@needs_signals
def test_a_killed_process_is_started_again_and_the_result_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    hold = tmp_path / "a.hold"
    hold.touch()
    engine = LocalEngine()
    task = work(tmp_path, "a")
    launch = Launch(tmp_path / "launch", engine, "local", ("work",), [task], 2, 0.02)

    def kill(tasks: tuple[TaskRecord, ...]) -> None:
        if tasks[0].state == "running" and tasks[0].starts == 1:
            wait_until(lambda: (tmp_path / "a").exists() and len((tmp_path / "a").read_text().split()) == 5)
            hold.unlink()
            os.kill(engine.process(tasks[0].job).pid, signal.SIGKILL)

    (ended,) = launch.follow(kill)
    assert (ended.state, ended.starts, ended.reason) == ("done", 2, "killed by signal 9")
    assert (tmp_path / "a").read_text() == SQUARES
    assert task.log.read_text().splitlines()[0] == "starts at 0"


def test_tasks_wait_until_there_is_room(tmp_path: Path) -> None:
    engine = LocalEngine(parallel=1)
    (tmp_path / "a.hold").touch()
    jobs = [engine.start(work(tmp_path, name)) for name in "ab"]
    assert [status.state for status in engine.status(jobs)] == ["running", "waiting"]
    (tmp_path / "a.hold").unlink()
    wait_until(lambda: [status.state for status in engine.status(jobs)] == ["done", "done"])


@needs_signals
def test_stopped_tasks_save_and_are_lost(tmp_path: Path) -> None:
    engine = LocalEngine()
    (tmp_path / "a.hold").touch()
    job = engine.start(work(tmp_path, "a"))
    wait_until(lambda: (tmp_path / "a").exists())
    engine.stop([job])
    assert engine.status([job])[0] == ("lost", "interrupted")


def test_left_over_ranks_do_not_reach_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    code = "import os; print([os.environ.get(name) for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')])"
    plain = Task("plain", (sys.executable, "-S", "-c", code), tmp_path / "plain.log")
    share = Task("share", plain.command, tmp_path / "share.log", {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"})
    assert [task.state for task in follow(tmp_path, plain, share)] == ["done", "done"]
    assert plain.log.read_text() == "['', '', '']\n"
    assert share.log.read_text() == "['1', '2', '0']\n"


def test_running_tasks_are_spread_over_the_gpus(tmp_path: Path) -> None:
    engine = LocalEngine(gpus=2)
    code = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
    tasks = [Task(name, (sys.executable, "-S", "-c", code), tmp_path / f"{name}.log") for name in "abc"]
    jobs = [engine.start(task) for task in tasks]
    wait_until(lambda: {status.state for status in engine.status(jobs)} == {"done"})
    assert [task.log.read_text().strip() for task in tasks[:2]] == ["0", "1"]
    assert tasks[2].log.read_text().strip() in ("0", "1")
