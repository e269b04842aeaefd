"""Tasks on a Ray cluster, one worker process each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dplass_cli.errors import InputError, first_line
from dplass_cli.launching.engine import Status, status_of_exit
from dplass_cli.launching.task import Task
from dplass_cli.options.launch_options import LaunchRayOptions


class RayEngine:
    """Runs tasks on a Ray cluster whose nodes have this package installed and share the folders that are used.

    Args:
        options: the cluster's address, and what each task needs.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """

    survives = False

    def __init__(self, options: LaunchRayOptions) -> None:
        try:
            import ray
        except ImportError as error:
            raise InputError("launch ray: needs the extra; pip install 'dplass[ray]'") from error
        self._ray = ray
        try:
            ray.init(
                address=None if options.address == "local" else options.address,
                log_to_driver=False,
                include_dashboard=False if options.address == "local" else None,
                ignore_reinit_error=True,
            )
        except (ConnectionError, ValueError) as error:
            raise InputError(
                f"--address {options.address}: {first_line(error)}; start a cluster, or use local"
            ) from error
        # A new worker process for each task, and no retries of Ray's own: restarts are counted in one place.
        self._run = ray.remote(num_cpus=options.cpus, num_gpus=options.gpus, max_retries=0, max_calls=1)(Task.run)
        self._results: list[Any] = []

    def start(self, task: Task) -> str:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        self._results.append(self._run.options(name=f"dplass-{task.name}").remote(task))
        return str(len(self._results) - 1)

    def status(self, jobs: Sequence[str]) -> list[Status]:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        return [self._status(self._results[int(job)]) for job in jobs]

    def stop(self, jobs: Sequence[str]) -> None:
        """See :class:`~dplass_cli.launching.engine.Engine`."""
        results = [self._results[int(job)] for job in jobs]
        for result in results:
            self._ray.cancel(result)  # raises KeyboardInterrupt in the worker, which stops the task
        if results:
            self._ray.wait(results, num_returns=len(results), timeout=60)

    def _status(self, result: Any) -> Status:
        done, _ = self._ray.wait([result], timeout=0)
        if not done:
            return Status("running")
        try:
            return status_of_exit(self._ray.get(result))
        except self._ray.exceptions.RayTaskError as error:  # the task's own code raised
            return Status("failed", first_line(error.cause if error.cause is not None else error))
        except self._ray.exceptions.RayError as error:  # the worker or its node is gone
            return Status("lost", type(error).__name__)
