"""Fuzz readers with coverage feedback: ``python tests/fuzz/run.py [TARGET…] --seconds 60`` (the extra ``fuzz``).

Inputs that break a rule are saved under ``reproducers/`` and the run continues. It ends with a table, and with exit
code 1 if there were any. ``--inputs 1000000`` repeats the targets until that many inputs have run. Inputs that reach
new code are kept in ``--found``, outside the repository, for later runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "support")]
LARGEST = 1 << 16


@dataclass
class Figures:
    """Figures of one target.

    Attributes:
        inputs: how many ran.
        coverage_before: branches that the corpus reaches.
        coverage: branches reached at the end.
        slowest: processor time of the slowest input, seconds.
        peak_mb: peak memory of the process.
        seconds: wall time.
        findings: {broken rule and place: saved input}.
    """

    inputs: int = 0
    coverage_before: int = 0
    coverage: int = 0
    slowest: float = 0.0
    peak_mb: float = 0.0
    seconds: float = 0.0
    findings: dict[str, str] = field(default_factory=dict)


def child(name: str, seconds: int, found: Path, report: Path, seed: int) -> None:
    """Fuzz one target in this process; ``report`` has the latest figures whenever libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["dplass_cli"]):
        from fuzz import harness, targets
    target = targets.TARGETS[name]
    figures, reported = Figures(), time.monotonic()
    with harness.sandbox() as folder:

        def one(data: bytes) -> None:
            nonlocal reported
            began = time.process_time()
            finding = harness.attempt(target, data, folder)
            spent = time.process_time() - began
            figures.inputs += 1
            figures.slowest = max(
                figures.slowest, spent if figures.inputs > 1 else 0.0
            )  # the first input creates the valid folder
            if finding is not None and f"{finding.kind} {finding.place}" not in figures.findings:
                figures.findings[f"{finding.kind} {finding.place}"] = str(harness.keep(target, data))
                print(finding, file=sys.stderr, flush=True)
            if time.monotonic() - reported > 1.0 or finding is not None:
                reported = time.monotonic()
                figures.peak_mb = _peak_mb()
                report.write_text(json.dumps(asdict(figures)))

        one(target.seeds[0].read_bytes())
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LARGEST}",
            "-timeout=30",
            "-rss_limit_mb=4096",
            f"-seed={seed}",
        ]
        options += [f"-artifact_prefix={_folder(harness.REPRODUCERS / name)}/", f"-dict={HERE / 'dictionary.txt'}"]
        places = [str(found), *(str(place) for place in (harness.CORPUS / name, harness.REPRODUCERS / name))]
        atheris.Setup([sys.argv[0], *options, *places], one)
        atheris.Fuzz()


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def fuzz(name: str, seconds: int, found: Path, seed: int) -> Figures:
    """Fuzz one target in a process of its own for some seconds."""
    with tempfile.TemporaryDirectory() as place:
        report, log = Path(place) / "report.json", Path(place) / "log"
        began = time.monotonic()
        with open(log, "wb") as stream:
            command = [sys.executable, __file__, name, "--child", str(report), "--seconds", str(seconds)]
            command += ["--found", str(_folder(found / name)), "--seed", str(seed)]
            ended = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
        output = log.read_text(errors="replace")
        figures = Figures(**json.loads(report.read_text())) if report.is_file() else Figures()
        figures.seconds = time.monotonic() - began
    covered = [int(number) for number in re.findall(r"cov: (\d+)", output)]
    executed = re.findall(r"^#(\d+)\s", output, re.MULTILINE)
    figures.inputs = max(figures.inputs, *map(int, executed), 0) if executed else figures.inputs
    if covered:
        inited = re.search(r"INITED cov: (\d+)", output)
        figures.coverage_before, figures.coverage = int(inited[1]) if inited else covered[0], max(covered)
    if ended.returncode != 0:
        figures.findings[f"ended with {ended.returncode}"] = output[-2000:]
    return figures


def main() -> int:
    """Fuzz the targets and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="per target and turn")
    parser.add_argument("--inputs", type=int, default=0, help="repeat until that many inputs have run in total")
    parser.add_argument("--found", type=Path, default=Path(tempfile.gettempdir()) / "dplass-fuzz-found")
    parser.add_argument("--output", type=Path, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        child(arguments.targets[0], arguments.seconds, arguments.found, arguments.child, arguments.seed)
        return 0
    known = sorted(path.name for path in (HERE / "corpus").iterdir())
    for name in arguments.targets:
        if name not in known:
            parser.error(f"unknown target {name!r}; use one of {', '.join(known)}")
    total: dict[str, Figures] = {}
    turn = 0
    while turn == 0 or sum(figures.inputs for figures in total.values()) < arguments.inputs:
        for name in arguments.targets or known:
            figures, before = fuzz(name, arguments.seconds, arguments.found, arguments.seed + turn), total.get(name)
            if before is not None:
                figures.coverage_before = before.coverage_before
                figures.inputs, figures.seconds = figures.inputs + before.inputs, figures.seconds + before.seconds
                figures.slowest = max(figures.slowest, before.slowest)
                figures.peak_mb = max(figures.peak_mb, before.peak_mb)
                figures.findings = {**before.findings, **figures.findings}
            total[name] = figures
            print(f"{name}: {figures.inputs:,} inputs, {len(figures.findings)} findings", file=sys.stderr, flush=True)
            if arguments.output is not None:
                arguments.output.write_text(json.dumps({key: asdict(value) for key, value in total.items()}, indent=2))
        turn += 1
    print("| target | inputs | branches (new) | slowest (s) | peak memory (MB) | findings |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, figures in total.items():
        new = figures.coverage - figures.coverage_before
        print(
            f"| {name} | {figures.inputs:,} | {figures.coverage:,} ({new:,}) | {figures.slowest:.2f}"
            f" | {figures.peak_mb:.0f} | {len(figures.findings)} |"
        )
    print(f"| all | {sum(figures.inputs for figures in total.values()):,} | | | | |")
    for name, figures in total.items():
        for what, where in figures.findings.items():
            print(f"{name}: {what}: {where}", file=sys.stderr)
    return 1 if any(figures.findings for figures in total.values()) else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
