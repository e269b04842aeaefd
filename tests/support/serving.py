"""``dplass serve`` as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving(temporary: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command with its files below a folder: (process, address)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dplass_cli", "serve", "--port", "0", "--json", "--no-open", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        yield process, json.loads(said)["address"]
    finally:
        process.kill()
        process.communicate()
