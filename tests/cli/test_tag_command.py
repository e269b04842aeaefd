"""``dplass tag`` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dplass_cli.audio.writing import write_audio
from dplass_cli.cli import app
from dplass_cli.sounds import render


@pytest.fixture(scope="module")
def rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "rain.wav"
    write_audio(path, render("rain", 5, 2.0, 32000)[None], 32000)
    return path


def test_a_table_says_what_is_there_and_when(rain: Path) -> None:
    done = CliRunner().invoke(app, ["tag", str(rain), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert f"{rain} (2.0 s)" in done.stdout.replace("\n", "")
    assert next(line.split() for line in done.stdout.splitlines() if "rain  " in line)[:2] == ["rain", "0.0-2.0"]


def test_json_has_the_same(rain: Path, tmp_path: Path) -> None:
    words = ["tag", str(rain), "--device", "cpu", "--json", "--output", str(tmp_path / "tags")]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    sound = said["tags"][str(rain)]["sounds"][0]
    assert (sound["sound"], sound["calibrated"]) == ("rain", True)
    assert sound["spans"] == [{"start": 0.0, "end": 2.0, "score": sound["score"]}]
    assert said["files"] == {str(rain): [str(tmp_path / "tags" / "rain.txt")]}


def test_notes_say_what_was_not_looked_for_and_that_nothing_was_found(rain: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("qwrtz\na dog barking\n")
    words = ["tag", str(rain), "--device", "cpu", "--labels", str(tmp_path / "labels.txt")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    unknown, nothing = done.stderr.splitlines()
    assert unknown.startswith("note: labels that the encoder does not know were left out (1): the tiny encoder")
    assert nothing == f"{rain}: no sound reaches --threshold 0.3"
