"""What an engine does: start tasks, and say how they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from dplass_cli.launching.task import INTERRUPTED, Task

State = Literal["waiting", "running", "done", "lost", "failed"]
"""``lost``: ended for a reason outside the task (preempted, killed, out of time), so that a restart can finish it."""


class Status(NamedTuple):
    """How a started task is.

    Attributes:
        state: of the task.
        reason: why it ended, where it is not done.
    """

    state: State
    reason: str = ""


def status_of_exit(code: int) -> Status:
    """The status of a task that ended with an exit code; negative codes, and those above 128, are signals."""
    if code == 0:
        return Status("done")
    if code == INTERRUPTED:
        return Status("lost", "interrupted")
    if code < 0 or code > 128:
        return Status("lost", f"killed by signal {-code if code < 0 else code - 128}")
    return Status("failed", f"exit code {code}")


class Engine(Protocol):
    """Where tasks run.

    Attributes:
        survives: jobs go on when the process that follows them ends, and can be followed again.
    """

    survives: bool

    def start(self, task: Task) -> str:
        """Start a task, or queue it: the id of its job."""
        ...

    def status(self, jobs: Sequence[str]) -> list[Status]:
        """How jobs are, in their order."""
        ...

    def stop(self, jobs: Sequence[str]) -> None:
        """End jobs that still run; they may save first."""
        ...
