"""The queue: in order, bounded, cancelled, expired, and nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dplass_cli.errors import RunError
from dplass_cli.server.job_queue import PATIENCE_SECONDS, Busy, Jobs, SeparationJob, Sound, Tell, Unknown


class Work:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, job: SeparationJob, tell: Tell) -> tuple[Sound, ...]:
        self.begun.append(job.id)
        while not self.let_go.is_set():
            tell("working", 0.5)
            time.sleep(0.005)
        if job.queries == ("bad",):
            raise RunError(f"{job.folder}/1.wav: writing failed (No space left on device)")
        if job.queries == ("bug",):
            raise ZeroDivisionError
        return ()


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come about")


def enter(jobs: Jobs, *queries: str) -> SeparationJob:
    with jobs.admit() as job:
        job.upload.write_bytes(b"sound")
        job.queries = queries
    return job


def break_off(jobs: Jobs) -> None:
    with jobs.admit() as job:
        job.upload.write_bytes(b"half")
        raise ConnectionError


def test_in_order_and_bounded(tmp_path: Path) -> None:
    work = Work()
    with Jobs(work, tmp_path, waiting=3) as jobs:
        first = enter(jobs)
        until(lambda: first.state == "running")
        waiting = [enter(jobs) for _ in range(2)]
        with jobs.admit():  # one that is on its way takes a place too
            assert [jobs.ahead(job) for job in (first, *waiting)] == [0, 1, 2]
            with pytest.raises(Busy, match="too many recordings are waiting"), jobs.admit():
                pass
        work.let_go.set()
        until(lambda: waiting[1].state == "done")
        assert work.begun[:3] == [first.id, *(job.id for job in waiting)]
    assert not tmp_path.exists()


def test_what_does_not_arrive_leaves_nothing_and_frees_its_place(tmp_path: Path) -> None:
    with Jobs(Work(), tmp_path, waiting=1) as jobs:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                break_off(jobs)
        assert list(tmp_path.iterdir()) == []


def test_cancelling_what_waits_and_what_runs(tmp_path: Path) -> None:
    work = Work()
    with Jobs(work, tmp_path) as jobs:
        running, waiting, last = enter(jobs), enter(jobs), enter(jobs)
        until(lambda: running.state == "running")
        jobs.drop(waiting.id)
        assert not waiting.folder.exists()
        assert jobs.ahead(last) == 1
        jobs.drop(running.id)
        until(lambda: last.state == "running")
        assert not running.folder.exists()
        for gone in (running, waiting):
            with pytest.raises(Unknown):
                jobs.find(gone.id)
            with pytest.raises(Unknown):
                jobs.drop(gone.id)
        assert work.begun == [running.id, last.id]


def test_a_failure_is_told_without_paths_and_the_worker_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    work.let_go.set()
    with Jobs(work, tmp_path) as jobs:
        bad, bug, good = enter(jobs, "bad"), enter(jobs, "bug"), enter(jobs, "good")
        until(lambda: good.state == "done")
        assert (bad.state, bad.error) == ("failed", "the recording: writing failed (No space left on device)")
        assert (bug.state, bug.error) == ("failed", "the separation failed; the server's log says why")
        assert "ZeroDivisionError" in caplog.text
        assert [path.name for path in tmp_path.iterdir()] == [good.id]


def test_what_nobody_asks_about_expires(tmp_path: Path) -> None:
    now, work = [0.0], Work()
    with Jobs(work, tmp_path, keep_seconds=1000.0, clock=lambda: now[0]) as jobs:
        done = enter(jobs)
        work.let_go.set()
        until(lambda: done.state == "done")
        work.let_go.clear()
        running, waiting = enter(jobs), enter(jobs)
        now[0] = PATIENCE_SECONDS - 1
        jobs.tidy()
        jobs.find(waiting.id)
        now[0] = PATIENCE_SECONDS + 1
        jobs.tidy()
        with pytest.raises(Unknown):
            jobs.find(running.id)
        until(lambda: waiting.state == "running")
        assert {path.name for path in tmp_path.iterdir()} == {done.id, waiting.id}
        jobs.find(done.id)
        now[0] += 1001
        jobs.tidy()
        until(lambda: list(tmp_path.iterdir()) == [])


def test_of_many_that_are_done_the_oldest_goes(tmp_path: Path) -> None:
    now, work = [0.0], Work()
    work.let_go.set()
    with Jobs(work, tmp_path, waiting=100, clock=lambda: now[0]) as jobs:
        several = []
        for now[0] in range(34):
            several.append(enter(jobs))
            until(lambda: several[-1].state == "done")
        jobs.find(several[0].id)
        jobs.tidy()
        assert {path.name for path in tmp_path.iterdir()} == {job.id for job in (several[0], *several[3:])}


def test_the_end_of_the_server_ends_the_work_and_removes_everything(tmp_path: Path) -> None:
    work = Work()
    with Jobs(work, tmp_path) as jobs:
        job = enter(jobs)
        enter(jobs)
        until(lambda: job.state == "running")
    assert not tmp_path.exists()
    with pytest.raises(Busy), jobs.admit():
        pass


def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    work = Work()
    work.let_go.set()
    with Jobs(work, tmp_path / "jobs", 2) as jobs:
        assert not (tmp_path / "jobs").exists()
        job = enter(jobs, "rain")
        until(lambda: job.ended)
        assert jobs.find(job.id) is job
