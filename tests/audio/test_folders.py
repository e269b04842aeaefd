"""Finding files in folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.audio.folders import audio_files, walk_folders
from dplass_cli.errors import InputError


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_are_sorted_within_each_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "b.wav", "a.wav", "z/c.wav", "y/d.wav")
    names = [path.removeprefix(f"{tmp_path}/") for path in walk_folders([tmp_path])]
    assert names == ["a.wav", "b.wav", "y/d.wav", "z/c.wav"]


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", ".writing-1.wav", ".cache/b.wav")
    assert list(walk_folders([tmp_path])) == [str(tmp_path / "a.wav")]


def test_a_folder_is_visited_once_however_often_it_is_linked(tmp_path: Path) -> None:
    _touch(tmp_path, "in/a.wav")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    assert len(list(walk_folders([tmp_path, tmp_path / "in"]))) == 1


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: cannot read this folder"):
        list(walk_folders([tmp_path / "gone"]))


def test_audio_files_are_recognised_by_suffix(tmp_path: Path) -> None:
    _touch(tmp_path, "b.WAV", "in/a.flac", "c.opus", "notes.txt", "d.raw")
    assert [path.relative_to(tmp_path).as_posix() for path in audio_files(tmp_path)] == ["b.WAV", "c.opus", "in/a.flac"]


def test_a_folder_without_audio_is_an_error(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="contains no audio files; give a folder"):
        audio_files(tmp_path)
