"""Finding files in folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from dplass_cli.audio.folders import READABLE, SUFFIXES, audio_files, readable_files, walk_folders
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


def test_every_format_of_libsndfile_with_a_header_looks_like_audio() -> None:
    assert {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} <= set(READABLE)
    assert len(set(SUFFIXES)) == len(SUFFIXES)


def test_unsupported_audio_links_to_nothing_and_links_to_themselves_are_listed(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "b.M4A", "c.ape")
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert [path.name for path in audio_files(tmp_path)] == ["a.wav", "b.M4A", "c.ape", "gone.wav", "loop.wav"]


def test_readable_files_leave_out_unsupported_formats_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _touch(tmp_path, "a.wav", "b.m4a", "in/c.ape")
    assert readable_files(tmp_path) == (tmp_path / "a.wav", tmp_path / "b.m4a")
    assert caplog.messages == [
        f"{tmp_path}: left out, since their formats are not supported: in/c.ape; convert them to wav"
    ]


def test_a_folder_of_unsupported_formats_only_is_an_error(tmp_path: Path) -> None:
    _touch(tmp_path, "a.ape")
    with pytest.raises(InputError, match=r"no audio in a supported format \(a\.ape\); convert it to wav"):
        readable_files(tmp_path)


def test_an_output_folder_is_skipped_inside_of_a_folder_only(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "out/b.wav")
    (tmp_path / "link").symlink_to("out")
    assert audio_files(tmp_path, tmp_path / "link") == (tmp_path / "a.wav",)
    assert audio_files(tmp_path / "out", tmp_path / "out") == (tmp_path / "out" / "b.wav",)
