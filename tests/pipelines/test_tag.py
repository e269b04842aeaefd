"""``tag``: what recordings contain, and the files about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.tag_options import TagOptions
from dplass_cli.pipelines.tag import tag
from dplass_cli.sounds import render


@pytest.fixture(scope="module")
def rain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "rain.wav"
    write_audio(path, render("rain", 5, 3.0, 32000)[None], 32000)
    return path


def test_sounds_of_the_encoder_are_found(rain: Path) -> None:
    result = tag(TagOptions(recordings=(rain,), device="cpu"))
    assert (result.encoder, result.calibrated, result.labels) == ("tiny", True, len(load_encoder().kinds))
    found = result.tags[str(rain)]
    assert found.seconds == 3.0
    assert found.sounds[0].sound == "rain"
    assert found.sounds[0].spans[0].start == 0.0
    assert (result.files, result.failed, result.unknown) == ({}, {}, {})


def test_labels_of_a_file_are_found_and_unknown_ones_are_named(rain: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("wet\train falling\ndry\ta dog barking\nqwrtz\n")
    result = tag(TagOptions(recordings=(rain,), labels=str(labels), device="cpu"))
    assert result.tags[str(rain)].sounds[0].sound == "wet"
    assert list(result.unknown) == ["qwrtz"]


def test_a_label_file_and_a_picture_are_written_per_recording(rain: Path, tmp_path: Path) -> None:
    result = tag(TagOptions(recordings=(rain.parent,), output=tmp_path / "tags", picture=True, device="cpu"))
    assert result.files == {str(rain): [str(tmp_path / "tags" / "rain.txt"), str(tmp_path / "tags" / "rain.png")]}
    assert "rain" in (tmp_path / "tags" / "rain.txt").read_text()
    assert (tmp_path / "tags" / "rain.png").read_bytes().startswith(b"\x89PNG")


def test_only_labels_of_an_earlier_run_are_replaced(rain: Path, tmp_path: Path) -> None:
    notes, options = tmp_path / "rain.txt", TagOptions(recordings=(rain,), output=tmp_path, device="cpu")
    notes.write_text("the roof of the shed\n")
    with pytest.raises(InputError, match=r"rain.txt: is not a file of labels; move it away"):
        tag(options)
    assert notes.read_text() == "the roof of the shed\n"
    notes.unlink()
    assert tag(options).files == tag(options).files
    (tmp_path / "rain.txt").unlink()
    (tmp_path / "rain.png").write_bytes(b"a photograph")
    with pytest.raises(InputError, match=r"rain.png: exists; move it away"):
        tag(TagOptions(recordings=(rain,), output=tmp_path, picture=True, device="cpu"))


def test_a_recording_that_fails_does_not_stop_the_others(rain: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    write_audio(short, render("rain", 5, 2.0, 32000)[None, :3200], 32000)
    result = tag(TagOptions(recordings=(short, rain), device="cpu"))
    assert list(result.tags) == [str(rain)]
    assert "too short" in result.failed[str(short)]
    with pytest.raises(InputError, match="too short"):
        tag(TagOptions(recordings=(short,), device="cpu"))


def test_missing_options_are_named() -> None:
    with pytest.raises(InputError, match="no recording is given"):
        tag(TagOptions())
    with pytest.raises(InputError, match=r"^--picture: is written to --output; name a folder"):
        tag(TagOptions(recordings=(Path("a.wav"),), picture=True))
