"""The faults: each disturbs runs of a verb and says what was wrong afterwards."""

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

from chaos_tests.leftovers import half_written, kept
from chaos_tests.workload import Bench

KILLS_IN_A_ROW = 8


@dataclass
class Told:
    """What came of a fault: how often it was made, and what was wrong afterwards."""

    times: int = 0
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""

    def __str__(self) -> str:
        return self.skipped or (f"{len(self.wrong)} wrong of {self.times}" if self.wrong else f"{self.times}")


def kill(bench: Bench, times: int) -> Told:
    """Kill runs at random moments, some in a row in one folder, then let one end."""
    told = Told()
    while told.times < times:
        bench.fresh()
        again = False
        for _ in range(min(bench.chance.randint(1, KILLS_IN_A_ROW), times - told.times)):
            process = bench.begin(again)
            time.sleep(bench.chance.uniform(0, bench.seconds))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            told.times, again = told.times + 1, True
            told.wrong += half_written(bench.out)
        before = bench.given.parent / "before"
        shutil.copytree(bench.out, before)
        told.wrong += bench.finish()
        told.wrong += kept(before, bench.out)
        shutil.rmtree(before)
    return told


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A file system of so many bytes at a folder; what is yielded changes its options."""
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
    """Whether file systems can be made here."""
    try:
        with small_disk(folder, 1 << 20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full(bench: Bench, shares: Sequence[float] = (0.05, 0.3, 0.6, 0.9)) -> Told:
    """Run on disks that are too small, then on one that is not."""
    told = Told()
    for share in shares:
        bench.fresh()
        with small_disk(bench.out, max(1 << 14, int(share * bench.size))) as change:
            code = bench.run()
            told.times += 1
            told.wrong += bench.told(code) if code else []
            told.wrong += half_written(bench.out)
            change("size=4G")
            told.wrong += bench.finish()
    return told


def read_only(bench: Bench) -> Told:
    """Run where nothing may be written, then where it may."""
    told = Told(1)
    bench.fresh()
    with small_disk(bench.out, 1 << 32) as change:
        change("ro")
        code = bench.run()
        told.wrong += bench.told(code)
        change("rw")
        told.wrong += bench.finish()
    return told


def vanishing(bench: Bench, times: int) -> Told:
    """Take an input away at a random moment; put it back, and run again."""
    if not bench.verb.vanish:
        return Told(skipped="–")
    told = Told()
    for _ in range(times):
        bench.fresh()
        process = bench.begin()
        time.sleep(bench.chance.uniform(0, 0.8 * bench.seconds))
        gone = bench.chance.choice(sorted(bench.given.glob(bench.verb.vanish)))
        gone.unlink()
        code = bench.ended(process)
        told.times += 1
        if code and code != 1:
            told.wrong += bench.told(code)
        told.wrong += ["a traceback"] if "Traceback" in bench.said.read_text() else []
        told.wrong += half_written(bench.out)
        shutil.copy2(bench.whole / gone.relative_to(bench.given), gone)
        if bench.verb.done_without:
            bench.fresh()
        told.wrong += bench.finish()
    return told


def clock_back(bench: Bench) -> Told:
    """Run with a clock that goes back at every look, and inputs from the future."""
    told = Told(1)
    bench.fresh()
    late = time.time() + 400 * 86400

    def first() -> None:
        real, steps = time.time, iter(range(1 << 60))
        time.time = lambda: real() - 60.0 * next(steps)
        time.time_ns = lambda: int(1e9 * time.time())

    times = {path: path.stat() for path in bench.given.rglob("*") if path.is_file()}
    for path in times:
        os.utime(path, (late, late))
    code = bench.run(first=first)
    told.wrong += [] if code == 0 else [f"ended with {code}: {bench.said.read_text()[-400:]}"]
    for path, was in times.items():
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    told.wrong += half_written(bench.out)
    bench.fresh()
    told.wrong += bench.finish()
    return told


def two_at_once(bench: Bench, times: int) -> Told:
    """Two runs in one folder: both end, or one says that the other is at work; the result is that of one."""
    told = Told()
    for _ in range(times):
        bench.fresh()
        processes = [bench.begin()]
        time.sleep(bench.chance.uniform(0, 0.5 * bench.seconds))
        processes.append(bench.begin())
        codes = [bench.ended(process) for process in processes]
        told.times += 1
        if 0 not in codes:
            told.wrong.append(f"neither ended well: {codes}: {bench.said.read_text()[-400:]}")
        told.wrong += ["a traceback"] if "Traceback" in bench.said.read_text() else []
        told.wrong += half_written(bench.out)
        told.wrong += bench.finish()
    return told
