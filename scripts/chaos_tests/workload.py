"""One verb on the bench: its folders, and runs of it in processes of their own."""

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

PATIENCE = 600.0  # seconds for one run


class Bench:
    """The folders of one verb: inputs, a whole copy of them, and the output, always at the same places."""

    def __init__(self, place: Path, verb: Verb, chance: random.Random) -> None:
        self.verb, self.chance = verb, chance
        self.given, self.whole, self.out = place / "in", place / "whole", place / "out"
        self.said = place / "said.txt"
        self.seconds, self.size = 0.0, 0
        self.wanted: dict[str, str] = {}
        self.unsteady: list[str] = []  # files that differ between undisturbed runs

    def fresh(self) -> None:
        """Empty the output folder."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def begin(self, again: bool = False, first: Callable[[], None] | None = None) -> int:
        """Start the verb in a process of its own: its number."""
        arguments = self.verb.arguments(self.given, self.out) + (list(self.verb.again) if again else [])
        process = os.fork()
        if process == 0:
            _child(arguments, self.said, first)
        return process

    def run(self, again: bool = False, first: Callable[[], None] | None = None) -> int:
        """Run the verb to its end: its exit code."""
        return self.ended(self.begin(again, first))

    def ended(self, process: int) -> int:
        """Wait for a run: its exit code; what lasts too long is killed."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise AssertionError("a run did not end")

    def measure(self) -> None:
        """Run undisturbed, twice; what both give is what every run is to give."""
        found = []
        for _ in range(2):
            self.fresh()
            began = time.monotonic()
            code = self.run()
            self.seconds = time.monotonic() - began
            assert code == 0, self.said.read_text()
            found.append(fingerprints(self.out))
        self.size = sum(path.stat().st_size for path in self.out.rglob("*") if path.is_file())
        self.wanted = {name: mark for name, mark in found[0].items() if found[1].get(name) == mark}
        self.unsteady = sorted(name for name in found[0] if name not in self.wanted)

    def finish(self) -> list[str]:
        """Run once more and compare: what is wrong."""
        code = self.run(again=True)
        done = self.verb.once and "is not empty" in self.said.read_text()
        if code != 0 and not done:
            return [f"the next run ended with {code}: {self.said.read_text()[-400:]}"]
        found = fingerprints(self.out)
        other = [name for name, mark in self.wanted.items() if found.get(name) != mark]
        more = [name for name in found if name not in self.wanted and name not in self.unsteady]
        left = [str(path.name) for path in self.out.rglob(".writing-*")]
        return (
            ([f"differs from an undisturbed run: {other}"] if other else [])
            + ([f"files that an undisturbed run does not leave: {more}"] if more else [])
            + ([f"unfinished files are left: {left}"] if left else [])
        )

    def told(self, code: int) -> list[str]:
        """Whether a run that could not go on said so in one line."""
        said = self.said.read_text(errors="replace")
        lines = [line for line in said.splitlines() if line.startswith("dplass: ")]
        if code in (1, 2, 3) and lines and "Traceback" not in said:
            return []
        return [f"ended with {code}, saying {said[-600:]!r}"]


def _child(arguments: Sequence[str], said: Path, first: Callable[[], None] | None) -> None:
    """The verb, in the forked process; it does not return."""
    os.setpgid(0, 0)
    code = 99
    try:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        if first is not None:
            first()
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
