"""Tasks as SLURM jobs, on a fake SLURM whose jobs are local processes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, wait_until
from systems import needs_shell_scripts

from dplass_cli.errors import InputError
from dplass_cli.launching.following import Launch, TaskRecord
from dplass_cli.launching.slurm_engine import SlurmEngine
from dplass_cli.launching.task import Task
from dplass_cli.options.launch_options import LaunchSlurmOptions

pytest.importorskip("submitit")
pytestmark = needs_shell_scripts

WORK = Path(__file__).parents[1] / "support" / "resumable_work.py"
SQUARES = " ".join(str(number**2) for number in range(10))


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return FakeSlurm(tmp_path / "slurm", monkeypatch)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task("work", (sys.executable, "-S", str(WORK), str(tmp_path / "out")), tmp_path / "work.log")


def launch(folder: Path, task: Task, **options: object) -> Launch:
    engine = SlurmEngine(folder / "jobs", LaunchSlurmOptions((), **options))  # type: ignore[arg-type]
    return Launch(folder / "launch", engine, "slurm", ("work",), [task], 2, 0.1)


def held(folder: Path) -> bool:
    """Whether the work has come to five, where it waits."""
    return (folder / "out").exists() and len((folder / "out").read_text().split()) == 5


def test_a_job_asks_for_what_the_options_say(slurm: FakeSlurm, task: Task, tmp_path: Path) -> None:
    options = {"gpus": 1, "hours": 2.0, "partition": "gpu", "slurm": {"qos": "low"}, "setup": ("module load cuda",)}
    (ended,) = launch(tmp_path, task, **options).follow(lambda tasks: None)
    assert ended.state == "done"
    assert (tmp_path / "out").read_text() == SQUARES
    assert task.log.read_text() == "starts at 0\n"
    (job,) = slurm.jobs
    script = slurm.script(job)
    for line in ("gpus-per-node=1", "time=120", "partition=gpu", "qos=low", "mem=32768M", "signal=USR2@120"):
        assert f"#SBATCH --{line}\n" in script
    assert "\nmodule load cuda\n" in script


def test_a_preempted_job_is_submitted_again_and_the_result_is_that_of_an_undisturbed_run(
    slurm: FakeSlurm, task: Task, tmp_path: Path
) -> None:
    (tmp_path / "out.hold").touch()

    def preempt(tasks: tuple[TaskRecord, ...]) -> None:
        if tasks[0].state == "running" and tasks[0].starts == 1:
            wait_until(lambda: held(tmp_path))
            (tmp_path / "out.hold").unlink()
            slurm.preempt(tasks[0].job)

    (ended,) = launch(tmp_path, task).follow(preempt)
    assert (ended.state, ended.starts, ended.reason) == ("done", 2, "preempted")
    assert (tmp_path / "out").read_text() == SQUARES
    assert len(slurm.jobs) == 2


def test_a_job_at_its_time_limit_saves_and_is_queued_again(slurm: FakeSlurm, task: Task, tmp_path: Path) -> None:
    (tmp_path / "out.hold").touch()

    def end_time(tasks: tuple[TaskRecord, ...]) -> None:
        if tasks[0].state == "running" and (tmp_path / "out.hold").exists():
            wait_until(lambda: held(tmp_path))
            slurm.signal(tasks[0].job, signal.SIGUSR2)
            wait_until(lambda: task.log.read_text().count("starts at") == 2)
            (tmp_path / "out.hold").unlink()

    (ended,) = launch(tmp_path, task).follow(end_time)
    assert (ended.state, ended.starts) == ("done", 1)
    assert task.log.read_text().splitlines() == ["starts at 0", "starts at 5"]
    assert (tmp_path / "out").read_text() == SQUARES


def test_a_machine_without_slurm_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="launch slurm: found no srun; run this on a login node, or use launch local"):
        SlurmEngine(tmp_path / "jobs", LaunchSlurmOptions(()))
