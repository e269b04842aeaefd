"""The workload of a chaos test: one verb, its folders, and runs of it in processes of their own."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos_tests.leftovers import fingerprints
from chaos_tests.verbs import Verb

RUN_TIMEOUT = 600.0  # seconds


class Workload:
    """Runs one verb, always on the same folders.

    Args:
        place: contains all folders.
        verb: what to run.
        rng: draws the moments of faults.

    Attributes:
        inputs: folder of the inputs, which faults may change.
        pristine: an unchanged copy of it.
        output: output folder.
        log: output of the last run.
        seconds: duration of a run without faults.
        size: bytes that such a run writes.
        expected: {file: hash} after such a run.
        varying: files that differ between such runs.
    """

    def __init__(self, place: Path, verb: Verb, rng: random.Random) -> None:
        self.verb, self.rng = verb, rng
        self.inputs, self.pristine, self.output = place / "in", place / "pristine", place / "out"
        self.log = place / "log.txt"
        self.seconds, self.size = 0.0, 0
        self.expected: dict[str, str] = {}
        self.varying: list[str] = []

    def clear_output(self) -> None:
        """Empty the output folder."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()

    def start(self, again: bool = False, setup: Callable[[], None] | None = None) -> int:
        """Start the verb in a process of its own: its id.

        Args:
            again: the run is a repetition after a fault.
            setup: called in the process before the verb.
        """
        arguments = self.verb.arguments(self.inputs, self.output) + (list(self.verb.again) if again else [])
        process = os.fork()
        if process == 0:
            _run_verb(arguments, self.log, setup)
        return process

    def run(self, again: bool = False, setup: Callable[[], None] | None = None) -> int:
        """Run the verb to its end: its exit code."""
        return self.wait_for(self.start(again, setup))

    def wait_for(self, process: int) -> int:
        """Wait for a run: its exit code. A run that takes too long is killed, which is an AssertionError."""
        deadline = time.monotonic() + RUN_TIMEOUT
        while time.monotonic() < deadline:
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise AssertionError(f"a run did not end within {RUN_TIMEOUT:g} s")

    def measure(self) -> None:
        """Run twice without faults; every later run must produce the files that are the same in both."""
        results = []
        for _ in range(2):
            self.clear_output()
            start = time.monotonic()
            code = self.run()
            self.seconds = time.monotonic() - start
            assert code == 0, self.log.read_text()
            results.append(fingerprints(self.output))
        self.size = sum(path.stat().st_size for path in self.output.rglob("*") if path.is_file())
        self.expected = {name: digest for name, digest in results[0].items() if results[1].get(name) == digest}
        self.varying = sorted(name for name in results[0] if name not in self.expected)

    def finish(self) -> list[str]:
        """Run again without a fault and compare the result: the differences."""
        code = self.run(again=True)
        done = self.verb.once and "is not empty" in self.log.read_text()
        if code != 0 and not done:
            return [f"the next run ended with {code}: {self.log.read_text()[-400:]}"]
        hashes = fingerprints(self.output)
        different = [name for name, digest in self.expected.items() if hashes.get(name) != digest]
        unexpected = [name for name in hashes if name not in self.expected and name not in self.varying]
        temporary = [str(path.name) for path in self.output.rglob(".writing-*")]
        return (
            ([f"differ from a run without faults: {different}"] if different else [])
            + ([f"files that a run without faults does not write: {unexpected}"] if unexpected else [])
            + ([f"temporary files were left behind: {temporary}"] if temporary else [])
        )

    def check_message(self, code: int) -> list[str]:
        """Check that a run that failed said why in one line: what is wrong."""
        output = self.log.read_text(errors="replace")
        lines = [line for line in output.splitlines() if line.startswith("dplass: ")]
        if code in (1, 2, 3) and lines and "Traceback" not in output:
            return []
        return [f"ended with {code} and the output {output[-600:]!r}"]


def _run_verb(arguments: Sequence[str], log: Path, setup: Callable[[], None] | None) -> None:
    """Run the verb in the forked process, and end the process."""
    os.setpgid(0, 0)
    code = 99
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        if setup is not None:
            setup()
        from dplass_cli.cli import app

        try:
            app(list(arguments))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
