"""``dplass serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serve_process(temporary: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command with its temporary files below a folder: (process, address)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dplass_cli", "serve", "--port", "0", "--json", "--no-open", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        assert process.stdout is not None
        output = ""
        while not output.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            output += line
        yield process, json.loads(output)["address"]
    finally:
        process.kill()
        process.communicate()
