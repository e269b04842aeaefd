"""``dplass separate`` as it is called."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from dplass_cli.audio.files import write_audio
from dplass_cli.cli import app

run = CliRunner().invoke


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    write_audio(
        tmp_path / "n.wav", np.random.default_rng(0).normal(0, 0.1, (2, 4000)).astype(np.float32), 8000, "PCM_16"
    )
    return tmp_path / "n.wav"


def test_several_inputs_and_one_that_fails(noise: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no audio")
    done = run(
        app, ["separate", str(noise), str(tmp_path / "bad.wav"), "-q", "rain", "-o", str(tmp_path / "out"), "--json"]
    )
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert list(result["written"]) == [str(noise)]
    assert "not a readable audio file" in result["failed"][str(tmp_path / "bad.wav")]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["n_rain.wav"]


def test_queries_of_a_file(noise: Path, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("a dog\n\nrain\n")
    done = run(app, ["separate", str(noise), "--queries", str(tmp_path / "q.txt"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"n_a_dog.wav", "n_rain.wav"}


def test_no_output_overwrites_any_input(noise: Path, tmp_path: Path) -> None:
    other = noise.with_name("n_rain.wav")
    other.write_bytes(noise.read_bytes())
    done = run(app, ["separate", str(noise), str(other), "-q", "rain", "-o", str(tmp_path), "--json"])
    assert done.exit_code == 1
    assert "n_rain.wav: would overwrite an input" in json.loads(done.stdout)["failed"][str(noise)]
    assert other.read_bytes() == noise.read_bytes()


def test_standard_input_and_output(noise: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dplass_cli", "separate", "-", "-q", "rain", "-o", "-"],
        input=noise.read_bytes(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    audio, rate = soundfile.read(io.BytesIO(done.stdout))
    assert (audio.shape, rate) == ((4000, 2), 8000)


@pytest.mark.parametrize(
    ("extra", "wrong"),
    [
        (["-q", "rain", "--clip", "fold"], "clip must be one of limit, scale, error"),
        (["-q", "rain", "--highband", "up"], "highband must be one of residual, target, drop"),
        (["-q", "rain", "--stereo", "mono"], "stereo must be one of shared, each"),
        (["-q", "rain", "-q", "dog", "-o", "-"], "--output - writes one target"),
        (["-q", "rain", "-o", "-", "--json"], "--output - writes one target"),
        ([], "no query is given"),
        (["-q", " "], "--query is empty"),
    ],
)
def test_wrong_use_is_one_line(noise: Path, tmp_path: Path, extra: list[str], wrong: str) -> None:
    out = [] if "-o" in extra else ["-o", str(tmp_path / "out")]
    done = run(app, ["separate", str(noise), *extra, *out])
    assert done.exit_code == 2
    assert wrong in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_backends_give_the_same(noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    outputs = {}
    for backend in ("torch", "openvino"):
        folder = tmp_path / backend
        more = ["--backend", backend, "--subtype", "FLOAT", "--output", str(folder)]
        assert run(app, ["separate", str(noise), "-q", "rain", *more]).exit_code == 0
        outputs[backend] = soundfile.read(folder / "n_rain.wav", dtype="float32")[0]
    assert np.abs(outputs["torch"]).max() > 1e-3
    assert 0.0 < np.abs(outputs["torch"] - outputs["openvino"]).max() < 1e-4
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = run(app, ["separate", str(noise), "-q", "rain", "--backend", "openvino", "-o", str(tmp_path)])
    assert refused.exit_code == 2
    assert "pip install 'dplass[openvino]'" in refused.stderr
    assert refused.stderr.count("\n") == 1
