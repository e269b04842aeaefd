"""A verb imports the libraries that it uses, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.sounds import render

LIBRARIES = (
    "lightning", "matplotlib", "openvino", "optuna", "pandas", "scipy.optimize", "sklearn", "torch", "torch._dynamo",
    "torchaudio", "transformers",
)  # fmt: skip
VERB = """
import sys
from dplass_cli.cli import app
try:
    app(sys.argv[2:])
except SystemExit as stop:
    assert not stop.code, stop.code
print("imported:", *(name for name in sys.argv[1].split() if name in sys.modules))
"""


def imported_by(*words: str) -> set[str]:
    """The libraries that are imported when a verb has done its work, in a process of its own."""
    command = [sys.executable, "-c", VERB, " ".join(LIBRARIES), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("imported:")[2].split())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Half a second at the rate of the bundled models."""
    path = tmp_path / "dog.wav"
    write_audio(path, render("dog_bark", 0, 0.5, 32000)[None], 32000)
    return path


def test_separate_imports_torch_and_the_front_end_of_its_encoder(recording: Path, tmp_path: Path) -> None:
    words = ["separate", str(recording), "--query", "a dog barking", "--output", str(tmp_path / "out")]
    assert imported_by(*words) == {"torch", "torchaudio"}


def test_listing_adapters_imports_torch_only() -> None:
    assert imported_by("adapters", "list", "tiny") == {"torch"}


def test_listing_weights_imports_none() -> None:
    assert imported_by("weights", "list") == set()


@pytest.mark.parametrize(
    ("pipeline", "allowed"),
    [
        ("adapters", {"torch"}),
        ("domains", {"torch"}),
        ("embed", {"torch"}),
        ("export", {"torch"}),
        ("retrieve", {"torch"}),
        ("separate", {"torch"}),
        ("serve", {"torch"}),
        ("tag", {"torch"}),
    ],
)
def test_a_verb_begins_without_libraries_that_it_may_not_need(pipeline: str, allowed: set[str]) -> None:
    code = f"import sys, dplass_cli.pipelines.{pipeline}; print(*(n for n in {LIBRARIES} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= allowed
