"""Tasks as jobs of SLURM, submitted and looked at through submitit."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError, RunError, first_line
from dplass_cli.launching.engine import Status, status_of_exit
from dplass_cli.launching.task import GRACE_SECONDS, Task
from dplass_cli.options.launch_options import LaunchSlurmOptions

_SAVING_SECONDS = 120  # before the time limit: the task is told to save
_LOOK_SECONDS = 0.1
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING", "READY", "UNKNOWN"}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "RESIZING", "STOPPED", "SIGNALING", "STAGE_OUT"}
_FAILED = {
    "CANCELLED": "cancelled",
    "OUT_OF_MEMORY": "out of memory; raise --memory-gb",
    "DEADLINE": "its deadline passed",
}


class RunTask:
    """What a job does: run the task; before its time limit or a preemption, let it save, and queue it again.

    Args:
        task: the task.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        self._process = process = self._task.start()
        # A thread waits, because checkpoint() interrupts this one, and waiting inside of waiting is a deadlock.
        threading.Thread(target=process.wait, daemon=True).start()
        while process.returncode is None:
            time.sleep(_LOOK_SECONDS)
        return process.returncode

    def checkpoint(self) -> Any:
        """Called by submitit's handler of its signal: what the queued job does."""
        from submitit.helpers import DelayedSubmission

        if (process := self._process) is not None:
            process.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
            while process.returncode is None:
                if time.monotonic() > deadline:
                    process.kill()
                time.sleep(_LOOK_SECONDS)
        return DelayedSubmission(RunTask(self._task))


class SlurmEngine:
    """Runs tasks as SLURM jobs. The folder must be on a file system that all nodes share.

    Args:
        folder: of the job scripts and of the jobs' own output.
        options: what each job asks for.

    Raises:
        InputError: submitit is not installed, or this machine has no SLURM.
    """

    survives = True

    def __init__(self, folder: Path, options: LaunchSlurmOptions) -> None:
        try:
            import submitit
        except ImportError as error:
            raise InputError("launch slurm: needs the extra; pip install 'dplass[slurm]'") from error
        self._submitit, self._folder, self._options = submitit, folder.resolve(), options
        try:
            self._executor = submitit.SlurmExecutor(self._folder)
        except RuntimeError as error:  # there is no srun
            raise InputError("launch slurm: found no srun; run this on a login node, or use launch local") from error

    def start(self, task: Task) -> str:
        """See :class:`~dplass_cli.launching.engine.Engine`.

        Raises:
            RunError: sbatch refuses the job.
        """
        options = self._options
        wanted = {
            "partition": options.partition,
            "account": options.account,
            "gpus_per_node": options.gpus or None,
            "setup": list(options.setup) or None,
            "additional_parameters": options.slurm or None,
        }
        self._executor.update_parameters(
            job_name=f"dplass-{task.name}",
            time=round(60 * options.hours),
            mem=f"{round(1024 * options.memory_gb)}M",
            cpus_per_task=options.cpus,
            nodes=task.nodes,
            ntasks_per_node=task.processes,
            signal_delay_s=_SAVING_SECONDS,
            **{name: value for name, value in wanted.items() if value is not None},
        )
        try:
            return str(self._executor.submit(RunTask(task)).job_id)
        except (subprocess.CalledProcessError, self._submitit.core.utils.FailedJobError, OSError) as error:
            raise RunError(f"{task.name}: sbatch refused the job: {first_line(error)}") from error

    def status(self, jobs: Sequence[str]) -> list[Status]:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        found = [self._job(job) for job in jobs]
        if found:
            found[0].watcher.update()  # one call of sacct for all
        return [self._status(job) for job in found]

    def stop(self, jobs: Sequence[str]) -> None:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        for job in jobs:
            self._job(job).cancel(check=False)

    def _job(self, job: str) -> Any:
        return self._submitit.SlurmJob(self._folder, job)

    def _status(self, job: Any) -> Status:
        state = (job.watcher.get_state(job.job_id, mode="cache").split() or ["UNKNOWN"])[0].rstrip("+")
        if job.paths.result_pickle.exists():
            try:
                return status_of_exit(job.result())
            except Exception as error:  # whatever the job could not pickle, or raised before the task began
                return Status("lost", f"{type(error).__name__} in job {job.job_id}; see {job.paths.stderr}")
        if state in _WAITING:
            return Status("waiting")
        if state in _RUNNING:
            return Status("running")
        return Status("failed", _FAILED[state]) if state in _FAILED else Status("lost", state.lower().replace("_", " "))
