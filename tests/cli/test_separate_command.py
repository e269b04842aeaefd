"""``dplass separate`` as it is called."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner
from videos import make_video, packets

from dplass_cli.audio.writing import write_audio
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


def test_no_output_overwrites_that_of_another_recording(noise: Path, tmp_path: Path) -> None:
    other = noise.with_name("n_dog.wav")
    other.write_bytes(noise.read_bytes())
    asked = [str(noise), str(other), "-q", "dog bark", "-q", "bark", "-o", str(tmp_path / "out"), "--json"]
    done = run(app, ["separate", *asked])
    assert done.exit_code == 1
    assert "n_dog_bark.wav: would overwrite" in json.loads(done.stdout)["failed"][str(other)]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"n_dog_bark.wav", "n_bark.wav"}


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


@pytest.mark.skipif(sys.platform != "linux", reason="Windows and macOS have no names that are not UTF-8")
def test_names_that_are_not_utf_8_are_separated_and_shown(noise: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"wind\xff.wav")
    (tmp_path / "takes").mkdir()
    shutil.copy(noise, tmp_path / "takes" / name)
    asked = [sys.executable, "-m", "dplass_cli", "separate", "takes", "-q", "rain", "-o", "out"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    assert rb"out/wind\udcff_rain.wav" in done.stdout
    assert [os.fsencode(path.name) for path in (tmp_path / "out").iterdir()] == [b"wind\xff_rain.wav"]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    asked = [sys.executable, "-m", "dplass_cli", "separate", str(noise), "-q", "Löwe", "--force", "-o", "out"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, timeout=120, check=True, env=ascii_only)
    assert rb"n_L\xf6we.wav" in done.stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs os.mkfifo, which Windows lacks")
def test_a_named_pipe_is_read(noise: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(noise.read_bytes()))
    writer.start()
    done = run(app, ["separate", str(tmp_path / "pipe"), "-q", "rain", "-o", str(tmp_path / "out")])
    writer.join()
    assert done.exit_code == 0, done.output
    assert soundfile.info(tmp_path / "out" / "pipe_rain.wav").frames == 4000


def test_standard_input_that_is_no_audio_is_called_so() -> None:
    asked = [sys.executable, "-m", "dplass_cli", "separate", "-", "-q", "rain", "-o", "-"]
    done = subprocess.run(asked, input=b"hello", capture_output=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().startswith("dplass: standard input: not a readable audio file")


@pytest.mark.parametrize(
    ("extra", "wrong"),
    [
        (["-q", "rain", "--clip", "fold"], "--clip fold: must be one of limit, scale, error"),
        (["-q", "rain", "--highband", "up"], "--highband up: must be one of residual, target, drop"),
        (["-q", "rain", "--stereo", "mono"], "--stereo mono: must be one of shared, each"),
        (["-q", "rain", "-q", "dog", "-o", "-"], "--output - writes one target"),
        (["-q", "rain", "-o", "-", "--residual"], "--output - writes one target"),
        (["-q", "rain", "-o", "-", "--json"], "--output - writes one target"),
        ([], "no query is given; describe the sound, such as --query 'a dog barking'"),
        (["dog", "barking"], "dog: no such file, and no query is given; did you mean --query 'dog barking'?"),
        (["--not", " "], "--not is empty"),
        (["-q", "rain", "--not", "rain"], "--not 'rain': is also the --query"),
        (["-q", "rain", "--spans", "1"], "--spans 1: expected seconds such as 3.2-4.0"),
        (["-q", "rain", "-q", "dog", "--spans", "0-1"], "--spans 0-1: applies to a single target, not 2"),
        (["-q", "rain", "--spans", "7-8"], "--spans 7-8: starts after the end of the recording"),
        (["--like", "no.wav"], "no.wav: no such audio file"),
        (["-q", "rain", "--silence-if-absent", "2"], "--silence-if-absent 2.0: must be a score from 0 to 1"),
        (["-q", " "], "--query is empty"),
        (["-q", "rain", "--precision", "float16"], "32-true"),
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


def test_examples_spans_and_negatives(noise: Path, tmp_path: Path) -> None:
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "one.wav").write_bytes(noise.read_bytes())
    out = tmp_path / "out"
    for asked in (
        ["--like", str(tmp_path / "dogs"), "--like", str(noise), "-q", "rain", "--not", "wind", "--consistent"],
        ["--spans", "0.1-0.2,0.3-0.4"],
        ["--not", "wind", "--not", "rain"],
    ):
        done = run(app, ["separate", str(noise), *asked, "-o", str(out)])
        assert done.exit_code == 0, done.output
    assert sorted(path.stem for path in out.iterdir()) == [
        "n_at_0_1_0_2_s_and_0_3_0_4_s",
        "n_dogs",
        "n_n",
        "n_rain",
        "n_without_wind_and_rain",
    ]


def test_a_list_has_queries_of_its_own_and_shares_negatives(noise: Path, tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text("n.wav\train\tmine\nn.wav\n")
    done = run(app, ["separate", "--list", str(tmp_path / "list.tsv"), "--not", "wind", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["mine_rain", "n_without_wind"]


def test_presence_is_told_and_what_was_not_learnt(noise: Path, tmp_path: Path) -> None:
    asked = ["separate", str(noise), "-q", "saxaphone", "-q", "rain", "--force", "-o", str(tmp_path / "out")]
    done = run(app, [*asked, "--silence-if-absent", "1", "--json"])
    assert done.exit_code == 0, done.output
    said = "the tiny encoder does not know what 'saxaphone' is; did you mean 'saxophone'?"
    assert done.stderr == f"note: {said}\n"
    result = json.loads(done.stdout)
    assert result["unlearnt"] == {"saxaphone": said}
    for target in result["written"][str(noise)]:
        assert 0.0 <= target["presence"]["score"] < 1.0
        assert set(target["presence"]) == {"score", "similarity", "residual_similarity", "level_db", "calibrated"}
        assert target["silenced"] is True
        assert not soundfile.read(target["path"])[0].any()
    assert "(silenced)" in run(app, [*asked, "--silence-if-absent", "1", "--overwrite"]).stdout


def test_an_existing_target_is_refused_skipped_or_replaced(noise: Path, tmp_path: Path) -> None:
    asked = ["separate", str(noise), "-q", "rain", "-o", str(tmp_path / "rain.flac")]
    first = run(app, asked)
    assert first.exit_code == 0
    before = (tmp_path / "rain.flac").read_bytes()
    assert soundfile.info(tmp_path / "rain.flac").format == "FLAC"
    assert first.stderr == ""
    (tmp_path / "rain.flac").write_bytes(b"mine")
    refused = run(app, asked)
    assert refused.exit_code == 2
    assert refused.stderr.endswith("rain.flac: exists; use --overwrite, --skip-existing or another --output\n")
    skipped = run(app, [*asked, "--skip-existing"])
    assert skipped.exit_code == 0
    assert skipped.stderr == f"{noise}: skipped, its targets exist\n"
    assert (tmp_path / "rain.flac").read_bytes() == b"mine"
    assert run(app, [*asked, "--overwrite"]).exit_code == 0
    assert (tmp_path / "rain.flac").read_bytes() == before


@pytest.mark.parametrize("form", ["ogg", "opus", "mp3", "m4a"])
def test_targets_have_the_format_that_is_asked_for(noise: Path, tmp_path: Path, form: str) -> None:
    asked = ["separate", str(noise), "-q", "rain", "--residual", "--format", form, "--name", "{query} of {stem}"]
    done = run(app, [*asked, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"rain of n.{form}", f"residual of n.{form}"]


def test_a_video_gets_a_new_sound(tmp_path: Path) -> None:
    video = make_video(tmp_path / "clip.mp4")
    done = run(app, ["separate", str(video), "-q", "remove the wind", "--video", "-o", str(tmp_path / "less.mp4")])
    assert done.exit_code == 0, done.output
    assert done.stderr == "'remove the wind': removing: wind\n"
    assert packets(tmp_path / "less.mp4") == packets(video)
    refused = run(
        app, ["separate", str(video), "-q", "wind", "--video", "--format", "wav", "-o", str(tmp_path / "out")]
    )
    assert refused.exit_code == 2
    assert "--video: writes videos of the input's format; leave out --format and --subtype" in refused.stderr


def test_an_unknown_sound_stops_before_the_work(noise: Path, tmp_path: Path) -> None:
    done = run(app, ["separate", str(noise), "-q", "rain", "--not", "saxaphone", "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert done.stderr == (
        "dplass: the tiny encoder does not know what 'saxaphone' is; did you mean 'saxophone'?; 'dplass sounds' lists"
        " what it knows, --force separates anyway\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "name", "said"),
    [
        (["-q", "remove the wind"], "n_without_wind", "'remove the wind': removing: wind\n"),
        (["-q", "turn the rain down"], "n_less_rain", "'turn the rain down': turning down by 12 dB: rain\n"),
        (["--remove", "wind"], "n_without_wind", ""),
        (["--reduce", "wind=6", "--reduce", "rain=3"], "n_less_wind_and_less_rain", ""),
    ],
)
def test_a_wish_is_understood(noise: Path, tmp_path: Path, asked: list[str], name: str, said: str) -> None:
    done = run(app, ["separate", str(noise), *asked, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.stderr == said
    assert [path.stem for path in (tmp_path / "out").iterdir()] == [name]


def test_a_reduction_lies_between_the_recording_and_the_removal(tmp_path: Path) -> None:
    noise = tmp_path / "n.wav"  # at the rate of the network, since resampling there and back changes other recordings
    write_audio(noise, np.random.default_rng(0).normal(0, 0.1, (1, 16000)).astype(np.float32), 32000, "FLOAT")
    recording = soundfile.read(noise)[0]
    outputs = {}
    for option in (["--remove", "rain"], ["--reduce", "rain=20"], ["--remove", "rain", "--mix", "0.9"]):
        output = tmp_path / option[-1]
        done = run(app, ["separate", str(noise), *option, "--subtype", "FLOAT", "-o", str(output)])
        assert done.exit_code == 0, done.output
        (path,) = output.iterdir()
        outputs[option[-1]] = soundfile.read(path)[0]
    removed = recording - outputs["rain"]
    assert np.abs(removed).max() > 0.01
    np.testing.assert_allclose(recording - outputs["rain=20"], 0.9 * removed, atol=1e-5)
    np.testing.assert_allclose(recording - outputs["0.9"], 0.9 * removed, atol=1e-5)


def test_a_recording_without_samples_is_told(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "e.wav"), np.zeros((0, 1)), 8000)
    done = run(app, ["separate", str(tmp_path / "e.wav"), "-q", "rain", "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "e.wav: contains no audio samples" in done.stderr
