"""Fault injection: each function injects one fault into runs of a verb and reports what was wrong afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_tests.leftovers import lost_records, truncated_files
from chaos_tests.workload import Workload

MAX_CONSECUTIVE_KILLS = 8


@dataclass
class FaultReport:
    """Result of injecting a fault.

    Attributes:
        times: how often the fault was injected.
        failures: what was wrong afterwards.
        skipped: why it was not injected; empty where it was.
    """

    times: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    def __str__(self) -> str:
        return self.skipped or (f"{len(self.failures)} failures of {self.times}" if self.failures else f"{self.times}")


def kill_runs(workload: Workload, times: int) -> FaultReport:
    """Kill runs at random moments, up to eight in a row on the same folder, then let one complete."""
    report = FaultReport()
    while report.times < times:
        workload.clear_output()
        again = False
        for _ in range(min(workload.rng.randint(1, MAX_CONSECUTIVE_KILLS), times - report.times)):
            process = workload.start(again)
            time.sleep(workload.rng.uniform(0, workload.seconds))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            report.times, again = report.times + 1, True
            report.failures += truncated_files(workload.output)
        before = workload.inputs.parent / "before"
        shutil.copytree(workload.output, before)
        report.failures += workload.finish()
        report.failures += lost_records(before, workload.output)
        shutil.rmtree(before)
    return report


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """Mount a file system of a size in bytes at a folder; yields a function that changes its mount options."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield lambda options: _remount(folder, options)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount file systems."""
    try:
        with small_disk(folder, 1 << 20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def fill_disk(workload: Workload, shares: Sequence[float] = (0.05, 0.3, 0.6, 0.9)) -> FaultReport:
    """Run on disks that are too small, then enlarge them and run again."""
    report = FaultReport()
    for share in shares:
        workload.clear_output()
        with small_disk(workload.output, max(1 << 14, int(share * workload.size))) as change:
            code = workload.run()
            report.times += 1
            report.failures += workload.check_message(code) if code else []
            report.failures += truncated_files(workload.output)
            change("size=4G")
            report.failures += workload.finish()
    return report


def deny_writes(workload: Workload) -> FaultReport:
    """Run on a read-only file system, then make it writable and run again."""
    report = FaultReport(1)
    workload.clear_output()
    with small_disk(workload.output, 1 << 32) as change:
        change("ro")
        code = workload.run()
        report.failures += workload.check_message(code)
        change("rw")
        report.failures += workload.finish()
    return report


def remove_input(workload: Workload, times: int) -> FaultReport:
    """Remove an input at a random moment; put it back and run again."""
    if not workload.verb.removable:
        return FaultReport(skipped="–")
    report = FaultReport()
    for _ in range(times):
        workload.clear_output()
        process = workload.start()
        time.sleep(workload.rng.uniform(0, 0.8 * workload.seconds))
        removed = workload.rng.choice(sorted(workload.inputs.glob(workload.verb.removable)))
        removed.unlink()
        code = workload.wait_for(process)
        report.times += 1
        if code and code != 1:
            report.failures += workload.check_message(code)
        report.failures += ["a traceback"] if "Traceback" in workload.log.read_text() else []
        report.failures += truncated_files(workload.output)
        shutil.copy2(workload.pristine / removed.relative_to(workload.inputs), removed)
        if workload.verb.restarts:
            workload.clear_output()
        report.failures += workload.finish()
    return report


def turn_clock_back(workload: Workload) -> FaultReport:
    """Run with a clock that goes back a minute at every reading, and with inputs dated in the future."""
    report = FaultReport(1)
    workload.clear_output()
    future = time.time() + 400 * 86400

    def patch_clock() -> None:
        real, steps = time.time, iter(range(1 << 60))
        time.time = lambda: real() - 60.0 * next(steps)
        time.time_ns = lambda: int(1e9 * time.time())

    times = {path: path.stat() for path in workload.inputs.rglob("*") if path.is_file()}
    for path in times:
        os.utime(path, (future, future))
    code = workload.run(setup=patch_clock)
    report.failures += [] if code == 0 else [f"ended with {code}: {workload.log.read_text()[-400:]}"]
    for path, status in times.items():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    report.failures += truncated_files(workload.output)
    workload.clear_output()
    report.failures += workload.finish()
    return report


def run_concurrently(workload: Workload, times: int) -> FaultReport:
    """Start two runs on one folder: both succeed, or one reports the other; the result equals that of a single run."""
    report = FaultReport()
    for _ in range(times):
        workload.clear_output()
        processes = [workload.start()]
        time.sleep(workload.rng.uniform(0, 0.5 * workload.seconds))
        processes.append(workload.start())
        codes = [workload.wait_for(process) for process in processes]
        report.times += 1
        if 0 not in codes:
            report.failures.append(f"neither run succeeded: {codes}: {workload.log.read_text()[-400:]}")
        report.failures += ["a traceback"] if "Traceback" in workload.log.read_text() else []
        report.failures += truncated_files(workload.output)
        report.failures += workload.finish()
    return report
