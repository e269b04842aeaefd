"""The search for the files of clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dplass_cli.audio.folders import walk_folders
from dplass_cli.data.prepare.locating import ClipIndex, listed_files
from dplass_cli.errors import InputError

SEGMENT = ("-0RWZT-miFs", 30.0, 40.0)


@pytest.mark.parametrize(
    "name",
    [
        "-0RWZT-miFs.wav",
        "-0RWZT-miFs.WAV",
        "-0RWZT-miFs.flac",
        "-0RWZT-miFs.ogg",
        "-0RWZT-miFs.mp3",
        "-0RWZT-miFs.opus",
        "Y-0RWZT-miFs.wav",
        "-0RWZT-miFs_30.000_40.000.wav",
        "-0RWZT-miFs_30.0_40.0.wav",
        "-0RWZT-miFs_30000_40000.wav",
        "-0RWZT-miFs_30_40.wav",
        "-0RWZT-miFs_30.000.wav",
        "-0RWZT-miFs_30000.wav",
        "-0RWZT-miFs_30.wav",
        "-0RWZT-miFs_000030.wav",
        "-0RWZT-miFs_000030_000040.wav",
        "Y-0RWZT-miFs_30.000_40.000.mp3",
    ],
)
def test_a_clip_is_found_under_each_usual_name(name: str) -> None:
    path = f"/clips/part 1/{name}"
    assert ClipIndex([path]).by_id(*SEGMENT) == path


@pytest.mark.parametrize(
    "name",
    [
        "-0RWZT-miFs.txt",
        "-0RWZT-miFs.wav.part",
        "-0rwzt-mifs.wav",
        "-0RWZT-miFs_20_30.wav",
        "0RWZT-miFs.wav",
        "-0RWZT-miFs",
    ],
)
def test_a_clip_is_not_found_under_another_name(name: str) -> None:
    assert ClipIndex([f"/clips/{name}"]).by_id(*SEGMENT) is None


@given(id=st.text("ab-_0", min_size=11, max_size=11), start=st.integers(0, 10**7).map(lambda ms: ms / 1000))
def test_a_clip_is_found_under_the_names_of_downloaders(id: str, start: float) -> None:
    milliseconds, seconds = round(start * 1000), int(start)
    stems = [
        *(f"{id}_{start:.3f}_{start + 10:.3f}", f"{id}_{start:.1f}_{start + 10:.1f}", f"{id}_{seconds:06d}", id),
        *(f"{id}_{milliseconds}_{round((start + 10) * 1000)}", f"{id}_{seconds}_{int(start + 10)}", f"{id}_{seconds}"),
    ]
    for stem in (*stems, *(f"Y{stem}" for stem in stems)):
        assert ClipIndex([f"/clips/{stem}.wav"]).by_id(id, start, start + 10) == f"/clips/{stem}.wav"


def test_the_most_specific_name_wins() -> None:
    index = ClipIndex(["/whole/-0RWZT-miFs.wav", "/cut/-0RWZT-miFs_30.000_40.000.wav"])
    assert index.by_id(*SEGMENT) == "/cut/-0RWZT-miFs_30.000_40.000.wav"


def test_a_file_that_can_be_decoded_comes_before_one_that_cannot() -> None:
    assert ClipIndex(["/a/-0RWZT-miFs.m4a", "/b/-0RWZT-miFs.flac"]).by_id(*SEGMENT) == "/b/-0RWZT-miFs.flac"
    assert ClipIndex(["/a/-0RWZT-miFs.m4a"]).by_id(*SEGMENT) == "/a/-0RWZT-miFs.m4a"


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("clip-{id}", "/clips/clip--0RWZT-miFs.wav"),
        ("{id}@{start:.1f}.flac", "/clips/-0RWZT-miFs@30.0.flac"),
        ("{id}-{start_ms}-{end_ms}", "/clips/-0RWZT-miFs-30000-40000.ogg"),
        ("{id}/{start:06.0f}.wav", "/clips/-0RWZT-miFs/000030.wav"),
    ],
)
def test_a_pattern_names_clips(pattern: str, path: str) -> None:
    files = ["/clips/-0RWZT-miFs.wav", "/clips/other/000030.wav", path]
    assert ClipIndex(files, pattern=pattern).by_id(*SEGMENT) == path
    assert ClipIndex(files[:2], pattern=pattern).by_id(*SEGMENT) == "/clips/-0RWZT-miFs.wav"  # as usual


@pytest.mark.parametrize("pattern", ["{ytid}", "{id:d}", "{id", "{}", "{start}", "{id.nothing}", "clip"])
def test_a_wrong_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="--name-pattern"):
        ClipIndex([], pattern=pattern)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("dog.aiff", "/clips/dog.aiff"),
        ("somewhere/dog.aiff", "/clips/dog.aiff"),
        ("one/clip.wav", "/clips/one/clip.wav"),
        ("./two//clip.wav", "/clips/two/clip.wav"),
        ("three/clip.wav", None),  # of three names that end alike, each is itself or nothing
        ("two  blanks .wav", "/clips/two blanks.wav"),
        ("cafe\u0301.wav", "/clips/caf\u00e9.wav"),
        ("64760", "/clips/64760.wav"),
        ("rain.wav", "/clips/rain.flac"),
        ("nothing.wav", None),
    ],
)
def test_a_clip_is_found_by_name(name: str, path: str | None) -> None:
    files = ["one/clip.wav", "two/clip.wav", "dog.aiff", "two blanks.wav", "caf\u00e9.wav", "64760.wav", "rain.flac"]
    names = ["one/clip.wav", "three/clip.wav", name]
    assert ClipIndex([f"/clips/{file}" for file in files], names).by_name(name) == path


def test_an_exact_name_comes_before_a_tidied_one() -> None:
    files = ["/clips/a b.wav", "/clips/a  b.wav"]
    assert ClipIndex(files, ["a  b.wav"]).by_name("a  b.wav") == "/clips/a  b.wav"


def test_folders_are_walked_in_order_once_and_through_links(tmp_path: Path) -> None:
    for name in ("b/y.wav", "b/x.wav", "a/deep/x.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "loop").symlink_to(tmp_path / "b")
    found = [os.path.relpath(path, tmp_path) for path in walk_folders([tmp_path / "b", tmp_path / "a", tmp_path / "b"])]
    assert found == ["b/x.wav", "b/y.wav", "a/deep/x.wav"]
    assert [os.path.relpath(path, tmp_path) for path in walk_folders([tmp_path / "a"])] == [
        "a/deep/x.wav",
        "a/linked/x.wav",
        "a/linked/y.wav",
    ]
    assert ClipIndex(walk_folders([tmp_path / "b", tmp_path / "a"])).by_id("x", 0, 1) == str(tmp_path / "b" / "x.wav")


def test_a_missing_folder_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: cannot read this folder"):
        list(walk_folders([tmp_path / "absent"]))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_listed_paths_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    for name in ("audio/in folder.wav", "lists/part 1/beside.wav", "work/sub/here.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "work")
    names = ["/abs/x.wav", "gone.wav", "in folder.wav", "", "part 1/beside.wav", "part 1/gone.wav", "sub/here.wav"]
    path = tmp_path / "lists" / "files.txt"
    path.write_bytes("".join(name + end for name in names).encode())
    assert list(listed_files(path, [tmp_path / "audio"])) == [
        "/abs/x.wav",
        f"{tmp_path}/audio/gone.wav",
        f"{tmp_path}/audio/in folder.wav",
        f"{tmp_path}/lists/part 1/beside.wav",
        f"{tmp_path}/lists/part 1/gone.wav",
        f"{tmp_path}/work/sub/here.wav",
    ]


def test_listed_names_need_not_be_of_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "files.txt").write_bytes(b"/clips/caf\xe9.wav\n")
    assert [os.fsencode(path) for path in listed_files(tmp_path / "files.txt")] == [b"/clips/caf\xe9.wav"]


def test_a_missing_list_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.txt: no such file"):
        list(listed_files(tmp_path / "absent.txt"))
