"""Jobs in parallel processes: failures, messages, and what a killed parent leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from side_work import work
from systems import needs_proc, needs_signals

from dplass_cli.errors import RunError
from dplass_cli.training.process_pool import run_in_processes


def jobs(folder: Path, *names: str) -> dict[str, Path]:
    """The files that jobs will write."""
    return {name: folder / name for name in names}


def test_a_failing_job_does_not_stop_the_others(tmp_path: Path) -> None:
    reported: list[str] = []
    message = r"1 of 3 domains failed: bad: bad cannot be done; fix the cause and rerun with --resume"
    with pytest.raises(RunError, match=message):
        run_in_processes(
            work, jobs(tmp_path, "one", "bad", "two"), ["a", "b"], lambda done, total, what: reported.append(what)
        )
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
    assert len(reported) == 3


def test_a_job_that_reports_all_the_time_does_not_block_the_others(tmp_path: Path) -> None:
    run_in_processes(work, jobs(tmp_path, "chatty", "quick", "last"), ["a", "b"], lambda done, total, what: None)
    assert {path.name for path in tmp_path.iterdir()} == {"chatty", "quick", "last"}


@needs_signals
def test_an_interruption_lets_the_processes_save(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        if what == "ready":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_processes(work, jobs(tmp_path, "saving"), ["a"], interrupt)
    assert (tmp_path / "saving").read_text() == "saved"


PARENT = """
from pathlib import Path
from side_work import work
from dplass_cli.training.process_pool import run_in_processes
if __name__ == "__main__":
    run_in_processes(work, {{"endless": Path({folder!r}) / "endless"}}, ["a"], lambda done, total, what: None)
"""


@needs_proc
def test_killing_the_parent_ends_its_processes(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT.format(folder=str(tmp_path)))
    path = os.pathsep.join([str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])])
    marker = tmp_path / "endless"
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        wait_until(lambda: marker.exists() and marker.read_text() != "")
        parent.kill()
    child = int(marker.read_text())
    wait_until(lambda: not (stat := Path(f"/proc/{child}/stat")).exists() or " Z " in stat.read_text())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
