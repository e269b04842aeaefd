"""A job for processes side by side; a module of its own, so that they begin quickly."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dplass_cli.errors import RunError
from dplass_cli.storage import Progress
from dplass_cli.training.side_by_side import DeviceShare


def work(folder: Path, job: str, share: DeviceShare, progress: Progress) -> None:
    """Leave a file; fail where the job's name says so."""
    progress(1, 1, f"{job}: on {share.device}")
    if job.startswith("bad"):
        raise RunError(f"{job} cannot be done")
    if job == "chatty":  # tells all the time, until another job has begun that waits for one that has ended
        ends = time.monotonic() + 60
        while not (folder / "last").exists() and time.monotonic() < ends:
            progress(1, 1, job)
            time.sleep(0.02)
        assert (folder / "last").exists()
    if job == "endless":
        (folder / job).write_text(str(os.getpid()))
        time.sleep(600)
    (folder / job).write_text(share.device)
