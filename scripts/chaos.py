"""Chaos tests: fault injection into the verbs that write files.

    python scripts/chaos.py [VERB…] --kills 100

Runs each verb on a small corpus, without faults and with them: kill -9, a full disk, a read-only folder, a removed
input and others. No file under its final name may ever be truncated, completed records must survive, a failure must be
reported in one line, and the same command must then complete with the result of a run without faults. Prints a table,
and exits with 1 where a check failed. Full disks and read-only folders are file systems in memory. Mounting them
requires root on Linux; elsewhere these faults are skipped.

Runs are forked from a process that has imported everything, so that kills hit the work and not the imports.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "support"), str(ROOT / "scripts")]

from chaos_tests.fault_injection import (  # noqa: E402
    FaultReport,
    can_mount,
    deny_writes,
    fill_disk,
    kill_runs,
    remove_input,
    run_concurrently,
    turn_clock_back,
)
from chaos_tests.inputs import build, slow_server  # noqa: E402
from chaos_tests.verbs import VERBS, Verb  # noqa: E402
from chaos_tests.workload import Workload  # noqa: E402


def inject_faults(verb: Verb, place: Path, arguments: argparse.Namespace) -> dict[str, FaultReport]:
    """Inject all faults into runs of one verb: {fault: report}."""
    workload = Workload(place, verb, random.Random(f"{arguments.seed} {verb.name}"))
    workload.measure()
    log(f"{verb.name}: {workload.seconds:.1f} s, {workload.size / 1e3:.0f} kB, {len(workload.expected)} files compared")
    if workload.varying:
        log(f"  differ between two runs without faults, so only their format is checked: {workload.varying}")
    workload.clear_output()
    no_mounts = FaultReport(skipped="skipped: cannot mount")
    mounts = can_mount(workload.output)
    faults: dict[str, Callable[[], FaultReport]] = {
        "kill -9": lambda: kill_runs(workload, arguments.kills),
        "full disk": lambda: fill_disk(workload) if mounts else no_mounts,
        "read-only": lambda: deny_writes(workload) if mounts else no_mounts,
        "removed input": lambda: remove_input(workload, arguments.times),
        "clock back": lambda: turn_clock_back(workload),
        "two at once": lambda: run_concurrently(workload, arguments.times),
    }
    reports = {}
    for name, fault in faults.items():
        if arguments.faults and name not in arguments.faults:
            continue
        start = time.monotonic()
        try:
            reports[name] = fault()
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            reports[name] = FaultReport(1, [repr(error)])
        log(f"  {name}: {reports[name]} ({time.monotonic() - start:.0f} s)")
        for failure in reports[name].failures:
            log(f"  {verb.name}: {name}: {failure}")
        shutil.rmtree(workload.inputs)
        shutil.copytree(workload.pristine, workload.inputs)
    return reports


def log(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def _import_everything() -> None:
    for name in (
        "lightning",
        "matplotlib.pyplot",
        "onnx",
        "onnxscript",
        "sklearn.cluster",
        "torchmetrics",
        "rich.table",
    ):
        importlib.import_module(name)
    for path in sorted((ROOT / "dplass_cli").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not module.endswith("__main__"):
            importlib.import_module(module)


def main() -> int:
    """Inject the faults and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*", metavar="VERB", help="default: all")
    parser.add_argument("--kills", type=int, default=100, help="kills per verb")
    parser.add_argument("--times", type=int, default=5, help="removed inputs, and pairs of concurrent runs, per verb")
    parser.add_argument(
        "--faults", action="append", metavar="FAULT", help="only this fault, such as 'kill -9'; repeatable"
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    known = {verb.name: verb for verb in VERBS}
    for name in arguments.verbs:
        if name not in known:
            parser.error(f"unknown verb {name!r}; use one of {', '.join(known)}")
    warnings.filterwarnings("ignore")
    os.environ.update(NO_PROXY="*", OMP_NUM_THREADS="1")
    rows: dict[str, dict[str, FaultReport]] = {}
    with slow_server() as address, tempfile.TemporaryDirectory(prefix="dplass-chaos-") as name:
        _import_everything()
        place = Path(name)
        build(place / "in", address)
        shutil.copytree(place / "in", place / "pristine")
        for verb in [known[name] for name in arguments.verbs] or VERBS:
            try:
                rows[verb.name] = inject_faults(verb, place, arguments)
            except AssertionError as error:
                log(f"{verb.name}: {error}")
                rows[verb.name] = {"kill -9": FaultReport(1, ["it fails without faults"])}
    columns = list(dict.fromkeys(column for reports in rows.values() for column in reports))
    print(f"| verb | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, reports in rows.items():
        print(f"| {name} | {' | '.join(str(reports.get(column, '')) for column in columns)} |")
    return 1 if any(report.failures for reports in rows.values() for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
