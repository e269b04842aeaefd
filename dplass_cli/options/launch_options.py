"""Options of ``launch``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, argument, option, setting

JOBS = "Jobs"


@dataclass(frozen=True)
class LaunchOptions(Options):
    """What every engine of ``launch`` needs."""

    words: tuple[str, ...] = argument("VERB", "The verb, followed by its options.")
    tasks: int | None = option(
        None,
        "Tasks that share the work of train (by domains), prepare, embed or evaluate.",
        shown="one per domain for train, else one",
        least=1,
    )
    folder: Path | None = option(None, "Folder of the record, scripts and logs.", shown="launch/VERB")
    retries: int = option(3, "How often a task that was preempted or killed is started again.", least=0)
    poll_seconds: float = setting(10.0, "Seconds between two looks at the tasks.", above=0)
    dry_run: bool = option(False, "Print the tasks and their commands, and start nothing.")


@dataclass(frozen=True)
class LaunchLocalOptions(LaunchOptions):
    """Options of ``launch local``."""

    parallel: int = option(0, "Tasks that run at the same time; 0: all.", least=0)
    gpus: int = option(0, "GPUs to spread the tasks over; each sees only its own.", shown="all see all", least=0)


@dataclass(frozen=True)
class LaunchSlurmOptions(LaunchOptions):
    """Options of ``launch slurm``."""

    gpus: int = option(0, "GPUs per node.", panel=JOBS, least=0)
    cpus: int = option(8, "CPU cores per process.", panel=JOBS, least=1)
    memory_gb: float = option(32.0, "Memory per node in GB.", panel=JOBS, above=0)
    hours: float = option(24.0, "Time limit; a task that reaches it saves and is queued again.", panel=JOBS, above=0)
    partition: str | None = option(None, "SLURM's partition.", panel=JOBS)
    account: str | None = option(None, "SLURM's account.", panel=JOBS)
    slurm: dict[str, str] = option({}, "Another option of sbatch as NAME=VALUE. Repeatable.", panel=JOBS)
    setup: tuple[str, ...] = option((), "A line of the job script before the task, such as a module. Repeatable.")


@dataclass(frozen=True)
class LaunchRayOptions(LaunchOptions):
    """Options of ``launch ray``."""

    address: str = option("auto", "Address of the Ray cluster; local: start one on this machine.", panel=JOBS)
    gpus: float = option(0.0, "GPUs per task.", panel=JOBS, least=0)
    cpus: float = option(4.0, "CPU cores per task.", panel=JOBS, above=0)
