"""Windows and macOS, as far as Linux can stand in for them: modules that only POSIX has, and code pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from systems import missing_privilege

from dplass_cli.audio.writing import write_audio
from dplass_cli.sounds import render

WITHOUT_POSIX = """
import importlib.abc, os, sys
POSIX = ("fcntl", "resource", "pwd", "grp", "termios")
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in POSIX:
            raise ModuleNotFoundError(name, name=name)
for name in POSIX:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
del os.fork
from dplass_cli.__main__ import main
main()
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "dog.wav"
    write_audio(path, render("dog_bark", 0, 0.5, 32000)[None], 32000)
    return path


def run(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], env={**os.environ, **environment}, capture_output=True, check=False
    )


def test_separating_needs_no_modules_that_only_posix_has(recording: Path, tmp_path: Path) -> None:
    done = run(WITHOUT_POSIX, "separate", str(recording), "--query", "a dog barking", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dog_a_dog_barking.wav"]


@pytest.mark.parametrize("page", ["cp437", "cp1252", "ascii"])
def test_a_code_page_that_lacks_characters_is_no_obstacle(page: str, tmp_path: Path) -> None:
    code = "from dplass_cli.__main__ import main; main()"
    shown = run(code, "models", PYTHONIOENCODING=page, DPLASS_HOME=str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    missing = run(code, "weights", "verify", "犬–é.yaml", PYTHONIOENCODING=page, DPLASS_HOME=str(tmp_path))
    assert missing.returncode == 2
    assert b"Traceback" not in missing.stderr


def test_only_the_privilege_of_links_is_a_reason_to_skip() -> None:
    refused = OSError("A required privilege is not held by the client")
    assert missing_privilege(refused) is None
    refused.winerror = 1314  # type: ignore[attr-defined]
    assert missing_privilege(refused) == "Windows allows symbolic links in developer mode only"
    assert missing_privilege(ValueError()) is None
