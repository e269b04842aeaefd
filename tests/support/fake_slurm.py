"""A SLURM of one node: sbatch, srun, sacct, scancel and scontrol as shell scripts that run jobs as local processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

_START = """
start() {
    rm -f "$FAKE_SLURM/$1.preempted" "$FAKE_SLURM/$1.requeue"
    echo RUNNING > "$FAKE_SLURM/$1.state"
    export SLURM_JOB_ID=$1 SLURM_NTASKS=1 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0
    export SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=node1
    setsid bash -c '
        echo $$ > "$FAKE_SLURM/$0.pid"
        bash "$FAKE_SLURM/$0.script" > "$FAKE_SLURM/$0.out" 2>&1
        code=$?
        if [ -e "$FAKE_SLURM/$0.requeue" ]; then exec "$FAKE_SLURM/bin/again" "$0"; fi
        state=FAILED
        [ $code = 0 ] && state=COMPLETED
        [ -e "$FAKE_SLURM/$0.preempted" ] && state=PREEMPTED
        echo $state > "$FAKE_SLURM/$0.state"
    ' "$1" < /dev/null > /dev/null 2>&1 &
}
"""
_PROGRAMS = {
    "sbatch": _START + 'cp "$1" "$FAKE_SLURM/$$.script"; start $$; echo "Submitted batch job $$"',
    "again": _START + 'start "$1"',
    "srun": 'while [ "${1#-}" != "$1" ]; do case "$1" in --output|--error) shift;; esac; shift; done; exec "$@"',
    "sacct": """
        echo "JobID|State|NodeList"
        while [ $# -gt 0 ]; do
            if [ "$1" = -j ] && [ -e "$FAKE_SLURM/$2.state" ]; then echo "$2|$(cat "$FAKE_SLURM/$2.state")|node1"; fi
            shift
        done
    """,
    "scancel": 'kill -TERM -- "-$(cat "$FAKE_SLURM/$1.pid")" 2> /dev/null; exit 0',
    "scontrol": '[ "$1" = requeue ] && touch "$FAKE_SLURM/$2.requeue"',
}


class FakeSlurm:
    """The programs, put on PATH.

    Args:
        folder: of the programs, and of the jobs' states and scripts.
        monkeypatch: changes PATH.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        for name, text in _PROGRAMS.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_SLURM", str(folder))

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that were submitted."""
        return [path.stem for path in self.folder.glob("*.script")]

    def script(self, job: str) -> str:
        """The job script that was submitted."""
        return (self.folder / f"{job}.script").read_text()

    def preempt(self, job: str) -> None:
        """Kill a job's processes, as for one of higher priority."""
        (self.folder / f"{job}.preempted").touch()
        group = int((self.folder / f"{job}.pid").read_text())
        os.killpg(group, signal.SIGKILL)
        (self.folder / f"{job}.state").write_text("PREEMPTED")

    def signal(self, job: str, number: int) -> None:
        """Send a signal to a job's processes except its script, as before its time limit."""
        group = int((self.folder / f"{job}.pid").read_text())
        for process in _members(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def _members(group: int) -> list[int]:
    """The processes of a group, without shells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = path.read_text().rpartition(")")[::2]
        except OSError:
            continue
        if int(fields.split()[2]) == group and "(bash" not in name:
            found.append(int(path.parent.name))
    return found


def wait_until(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
