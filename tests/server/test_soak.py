"""Soak tests: memory and open files do not grow, no files are left, and the queue keeps its order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

SOAK = Path(__file__).parents[2] / "scripts" / "soak.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["serve", "--minutes", "1"], ["separate", "--files", "60"]], ids=["serve", "separate"]
)
def test_nothing_grows_or_is_left_behind(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SOAK), *arguments], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["failures"] == []
