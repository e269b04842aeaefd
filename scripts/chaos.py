"""What faults leave of the verbs that write: kill -9, a full disk, a folder that may not be written, and others.

``python scripts/chaos.py [VERB…] --kills 100`` runs each verb on a small corpus, undisturbed and disturbed. No file
under its own name may ever be half-written, what was finished must be kept, a failure must be told in one line, and the
same command must then complete and give what an undisturbed run gives. It prints a table, and ends with 1 where a check
failed. Full disks and folders that may not be written are file systems in memory; making them needs root on Linux, and
is skipped, and said so, elsewhere.

Runs are forked from a process that has imported everything, so that a kill falls into the work and not into imports.
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

from chaos_tests.fault_injection import Told, can_mount, clock_back, full, kill, read_only, two_at_once, vanishing  # noqa: E402
from chaos_tests.inputs import build, slow_server  # noqa: E402
from chaos_tests.verbs import VERBS, Verb  # noqa: E402
from chaos_tests.workload import Bench  # noqa: E402


def disturb(verb: Verb, place: Path, whole: Path, given: argparse.Namespace) -> dict[str, Told]:
    """All faults of one verb."""
    bench = Bench(place, verb, random.Random(f"{given.seed} {verb.name}"))
    bench.measure()
    say(f"{verb.name}: {bench.seconds:.1f} s, {bench.size / 1e3:.0f} kB, {len(bench.wanted)} files compared")
    if bench.unsteady:
        say(f"  differ between two undisturbed runs, so that only their form is checked: {bench.unsteady}")
    bench.fresh()
    no_mounts = Told(skipped="skipped: no mounts here")
    mounts = can_mount(bench.out)
    faults: dict[str, Callable[[], Told]] = {
        "kill -9": lambda: kill(bench, given.kills),
        "full disk": lambda: full(bench) if mounts else no_mounts,
        "read-only": lambda: read_only(bench) if mounts else no_mounts,
        "vanishing file": lambda: vanishing(bench, given.times),
        "clock back": lambda: clock_back(bench),
        "two at once": lambda: two_at_once(bench, given.times),
    }
    told = {}
    for name, fault in faults.items():
        if given.faults and name not in given.faults:
            continue
        began = time.monotonic()
        try:
            told[name] = fault()
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            told[name] = Told(1, [repr(error)])
        say(f"  {name}: {told[name]} ({time.monotonic() - began:.0f} s)")
        for wrong in told[name].wrong:
            say(f"  {verb.name}: {name}: {wrong}")
        shutil.rmtree(bench.given)
        shutil.copytree(whole, bench.given)
    return told


def say(text: str) -> None:
    """Tell how it goes on."""
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
    """Disturb the verbs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*", metavar="VERB", help="default: all")
    parser.add_argument("--kills", type=int, default=100, help="of each verb")
    parser.add_argument("--times", type=int, default=5, help="that a file vanishes, and that two run at once")
    parser.add_argument("--faults", action="append", metavar="FAULT", help="only these, such as 'kill -9'")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    known = {verb.name: verb for verb in VERBS}
    for name in given.verbs:
        if name not in known:
            parser.error(f"no verb {name!r}; there are {', '.join(known)}")
    warnings.filterwarnings("ignore")
    os.environ.update(NO_PROXY="*", OMP_NUM_THREADS="1")
    rows: dict[str, dict[str, Told]] = {}
    with slow_server() as address, tempfile.TemporaryDirectory(prefix="dplass-faults-") as name:
        _import_everything()
        place, whole = Path(name), Path(name) / "in"
        build(whole, address)
        shutil.copytree(whole, place / "whole")
        for verb in [known[name] for name in given.verbs] or VERBS:
            try:
                rows[verb.name] = disturb(verb, place, place / "whole", given)
            except AssertionError as error:
                say(f"{verb.name}: {error}")
                rows[verb.name] = {"kill -9": Told(1, ["it does not run undisturbed"])}
    columns = list(dict.fromkeys(column for told in rows.values() for column in told))
    print(f"| verb | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, told in rows.items():
        print(f"| {name} | {' | '.join(str(told.get(column, '')) for column in columns)} |")
    return 1 if any(one.wrong for told in rows.values() for one in told.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
