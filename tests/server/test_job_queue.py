"""The queue: order, limit, cancellation, expiry, and that no files are left behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from page_client import wait_until

from dplass_cli.errors import RunError
from dplass_cli.separation.queries import Query
from dplass_cli.server.job_queue import (
    ABANDONED_SECONDS,
    JobNotFound,
    JobQueue,
    ReportStep,
    SeparationJob,
    Sound,
    without_paths,
)
from dplass_cli.server.recording_store import QueueFull, RecordingNotFound


class HeldRunner:
    """Runs each job until it is released; fails where the job's name says so."""

    def __init__(self, released: bool = False) -> None:
        self.started: list[str] = []
        self.release = threading.Event()
        if released:
            self.release.set()

    def __call__(self, job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
        self.started.append(job.id)
        while not self.release.is_set():
            report("separating", 0.5, 0.25)
            time.sleep(0.005)
        if job.name == "full disk":
            raise RunError(f"{job.folder}/1.wav: writing failed (No space left on device)")
        if job.name == "bug":
            raise ZeroDivisionError
        return ()


def add(jobs: JobQueue, name: str = "") -> SeparationJob:
    with jobs.admit() as job:
        job.upload.write_bytes(b"sound")
        job.name = name
    return job


def break_off_upload(jobs: JobQueue) -> None:
    with jobs.admit() as job:
        job.upload.write_bytes(b"half")
        raise ConnectionError


def test_jobs_run_in_their_order(tmp_path: Path) -> None:
    runner = HeldRunner()
    with JobQueue(runner, tmp_path) as jobs:
        first = add(jobs)
        wait_until(lambda: first.state == "running")
        waiting = [add(jobs) for _ in range(2)]
        assert [jobs.jobs_ahead(job) for job in (first, *waiting)] == [0, 1, 2]
        runner.release.set()
        wait_until(lambda: waiting[1].state == "done")
        assert runner.started == [first.id, *(job.id for job in waiting)]


def test_waiting_jobs_and_uploads_are_limited(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path, max_waiting=2) as jobs:
        first = add(jobs)
        wait_until(lambda: first.state == "running")
        add(jobs)
        with jobs.admit(), pytest.raises(QueueFull, match="too many recordings are waiting"), jobs.admit():
            pass


def test_a_broken_upload_leaves_no_files_and_frees_its_place(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path, max_waiting=1) as jobs:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                break_off_upload(jobs)
        assert list(tmp_path.iterdir()) == []


def test_a_running_job_reports_its_step(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path) as jobs:
        job = add(jobs)
        wait_until(lambda: job.step)
        assert (job.state, job.step, job.fraction, job.progress) == ("running", "separating", 0.5, 0.25)


def test_the_time_left_follows_from_the_time_that_was_taken(tmp_path: Path) -> None:
    now = [0.0]
    jobs = JobQueue(HeldRunner(), tmp_path, clock=lambda: now[0])
    job = SeparationJob("id", tmp_path, state="running", progress=0.05, started=0.0, reported=10.0)
    now[0] = 12.0
    assert jobs.seconds_left(job) is None  # too early to say
    job.progress = 0.25
    assert jobs.seconds_left(job) == 28.0  # 30 s after the report, which was 2 s ago
    now[0] = 100.0
    assert jobs.seconds_left(job) == 0.0
    job.state = "done"
    assert jobs.seconds_left(job) is None


def test_a_job_of_a_recording_remains_when_the_recording_is_dropped(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path) as jobs:
        with jobs.recordings.admit() as recording:
            recording.upload.write_bytes(b"sound")
            recording.name = "street.wav"
        job = jobs.add(recording, (Query("rain"),))
        jobs.recordings.drop(recording.id)
        assert (job.upload.read_bytes(), job.name, job.queries) == (b"sound", "street.wav", (Query("rain"),))
        assert [path.name for path in tmp_path.iterdir()] == [job.id]
        with pytest.raises(RecordingNotFound):
            jobs.add(recording, (Query("rain"),))
        assert [path.name for path in tmp_path.iterdir()] == [job.id]


def test_waiting_and_running_jobs_can_be_dropped(tmp_path: Path) -> None:
    runner = HeldRunner()
    with JobQueue(runner, tmp_path) as jobs:
        running, waiting, last = add(jobs), add(jobs), add(jobs)
        wait_until(lambda: running.state == "running")
        jobs.drop(waiting.id)
        assert not waiting.folder.exists()
        assert jobs.jobs_ahead(last) == 1
        jobs.drop(running.id)
        wait_until(lambda: last.state == "running")
        assert not running.folder.exists()
        assert runner.started == [running.id, last.id]


def test_a_dropped_job_is_not_found(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path) as jobs:
        job = add(jobs)
        jobs.drop(job.id)
        with pytest.raises(JobNotFound, match="no such job: it was cancelled or has expired"):
            jobs.find(job.id)
        with pytest.raises(JobNotFound):
            jobs.drop(job.id)


def test_failures_are_reported_and_do_not_end_the_worker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with JobQueue(HeldRunner(released=True), tmp_path) as jobs:
        full, bug, good = add(jobs, "full disk"), add(jobs, "bug"), add(jobs, "good")
        wait_until(lambda: good.state == "done")
        assert (full.state, full.error) == ("failed", "the recording: writing failed (No space left on device)")
        assert (bug.state, bug.error) == ("failed", "the separation failed; the server's log says why")
        assert "ZeroDivisionError" in caplog.text
        assert [path.name for path in tmp_path.iterdir()] == [good.id]


def test_an_unfinished_job_that_no_client_asks_about_is_cancelled(tmp_path: Path) -> None:
    now = [0.0]
    with JobQueue(HeldRunner(), tmp_path, clock=lambda: now[0]) as jobs:
        abandoned, watched = add(jobs), add(jobs)
        now[0] = ABANDONED_SECONDS - 1
        jobs.expire()
        jobs.find(watched.id)
        now[0] = ABANDONED_SECONDS + 1
        jobs.expire()
        with pytest.raises(JobNotFound):
            jobs.find(abandoned.id)
        wait_until(lambda: watched.state == "running")
        assert [path.name for path in tmp_path.iterdir()] == [watched.id]


def test_a_finished_job_expires_after_its_last_use(tmp_path: Path) -> None:
    now = [0.0]
    with JobQueue(HeldRunner(released=True), tmp_path, keep_seconds=1000.0, clock=lambda: now[0]) as jobs:
        job = add(jobs)
        wait_until(lambda: job.finished)
        now[0] = 900.0
        jobs.find(job.id)
        now[0] = 1800.0
        jobs.expire()
        assert job.folder.exists()
        now[0] = 1901.0
        jobs.expire()
        assert not job.folder.exists()


def test_of_too_many_finished_jobs_the_least_recently_used_expire(tmp_path: Path) -> None:
    now = [0.0]
    with JobQueue(HeldRunner(released=True), tmp_path, max_waiting=100, clock=lambda: now[0]) as jobs:
        finished = []
        for now[0] in range(34):
            finished.append(add(jobs))
            wait_until(lambda: finished[-1].finished)
        jobs.find(finished[0].id)
        jobs.expire()
        assert {path.name for path in tmp_path.iterdir()} == {job.id for job in (finished[0], *finished[3:])}


def test_closing_ends_the_running_job_and_removes_all_files(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(), tmp_path) as jobs:
        job = add(jobs)
        add(jobs)
        wait_until(lambda: job.state == "running")
    assert not tmp_path.exists()
    with pytest.raises(QueueFull), jobs.admit():
        pass


def test_a_folder_that_the_system_cleaned_up_is_created_again(tmp_path: Path) -> None:
    with JobQueue(HeldRunner(released=True), tmp_path / "jobs", 2) as jobs:
        assert not (tmp_path / "jobs").exists()
        job = add(jobs, "rain")
        wait_until(lambda: job.finished)
        assert jobs.find(job.id) is job


def test_messages_do_not_reveal_paths() -> None:
    error = RunError("/tmp/jobs/abc/upload: damaged\naudio; replace /tmp/jobs/abc")
    assert without_paths(error, Path("/tmp/jobs/abc")) == "the recording: damaged audio; replace the recording"
