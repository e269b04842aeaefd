"""A task: one process of a launched verb, with its environment and its log."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERRUPTED = 3
"""Exit code of a verb that was interrupted and can be resumed."""

GRACE_SECONDS = 60.0
"""How long a verb may take to save after SIGTERM."""

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

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
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_CLEAN, **self.environment},
                preexec_fn=_dying_with_parent(),
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


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: it may save first, for a minute."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _dying_with_parent() -> Callable[[], None] | None:
    """What a child calls first, so that it gets SIGTERM when its parent dies: an orphan would work on a restarted job.

    Linked here, before the fork, because importing between fork and exec can deadlock. None where Linux is not.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM sends it to all processes of a job; only ours handles it
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died in between
            os._exit(INTERRUPTED)

    return ask
