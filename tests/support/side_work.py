"""A job for parallel processes, in a module of its own so that they start quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from dplass_cli.errors import RunError
from dplass_cli.storage import Progress


def work(marker: Path, device: str, progress: Progress) -> None:
    """Write a marker file; what else happens depends on its name."""
    folder, job = marker.parent, marker.name
    progress(1, 1, f"{job}: on {device}")
    if job.startswith("bad"):
        raise RunError(f"{job} cannot be done")
    if job == "chatty":  # reports all the time, until "last" runs, which waits for a free device
        ends = time.monotonic() + 60
        while not (folder / "last").exists() and time.monotonic() < ends:
            progress(1, 1, job)
            time.sleep(0.02)
        assert (folder / "last").exists()
    if job == "saving":  # until it is told to stop, as a training is
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            progress(1, 1, "ready")
            time.sleep(60)
        except KeyboardInterrupt:
            marker.write_text("saved")
            raise
    if job == "endless":
        marker.write_text(str(os.getpid()))
        time.sleep(600)
    marker.write_text(device)
