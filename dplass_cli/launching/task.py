"""A task: one process of a launched verb, with its environment and its log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERRUPTED = 3
"""Exit code of a verb that was interrupted and can be resumed."""

GRACE_SECONDS = 60.0
"""How long a verb may take to save after SIGTERM."""

# Runs before the command, in its process. An orphan would work on a task that is started again elsewhere, so it gets
# SIGTERM when its parent dies (PR_SET_PDEATHSIG, 1 in <sys/prctl.h>). SLURM sends SIGUSR2 to all processes of a job
# before its time limit, and only the parent handles it. Not a preexec_fn, which can deadlock where there are threads.
_GUARD = """
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(3)
os.execvp(sys.argv[2], sys.argv[2:])
"""

# What a launcher around this process, or a platform, may have left. An empty variable counts as unset, and unlike a
# missing one it also replaces what a batch system hands on.
_CLEAN = {"RANK": "", "WORLD_SIZE": "", "LOCAL_RANK": ""}


@dataclass(frozen=True)
class Task:
    """One process of a launched verb.

    Attributes:
        name: such as ``domain3`` or ``share0``.
        command: the program and its arguments.
        log: the file that its output is appended to.
        environment: variables that are set for it.
        nodes: machines that it needs; more than one only for processes that train together.
        processes: processes per machine, which the batch system starts.
        last: it starts when all others are done.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    nodes: int = 1
    processes: int = 1
    last: bool = False

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process; it is stopped when this process ends, however that happens (on Linux)."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                _guarded(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_CLEAN, **self.environment},
            )

    def run(self) -> int:
        """Run the process to its end, or stop it on Ctrl-C: its exit code, or minus the signal that killed it."""
        process = self.start()
        try:
            return process.wait()
        except KeyboardInterrupt:
            stop(process)
            raise


def verb_command(words: Sequence[str]) -> tuple[str, ...]:
    """The command of a verb and its options, for this interpreter."""
    return (sys.executable, "-m", "dplass_cli", *words)


def _guarded(command: Sequence[str]) -> tuple[str, ...]:
    if not sys.platform.startswith("linux"):
        return tuple(command)
    return (sys.executable, "-S", "-c", _GUARD, str(os.getpid()), *command)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: it may save first, for a minute."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
