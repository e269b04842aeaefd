"""Recordings from files, folders, patterns and lists, with distinct output names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.queries import Query
from dplass_cli.separation.recordings import Recording, find_recordings, requested_recordings


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.flac", "deep/a.wav", "[x] 1.wav"):
        write_audio(tmp_path / "takes" / name, np.zeros((1, 8), np.float32), 8000, "PCM_16")
    (tmp_path / "takes" / "notes.txt").write_text("no audio")
    return tmp_path / "takes"


def test_audio_files_in_folders_keep_their_places(takes: Path) -> None:
    recordings = find_recordings([takes], None, [Query("rain")])
    assert [item.name for item in recordings] == ["[x] 1", "a", "b", "deep/a"]
    assert {item.queries for item in recordings} == {(Query("rain"),)}


def test_patterns_match_files(takes: Path) -> None:
    assert [item.path.name for item in find_recordings([takes / "*.wav"], None, [])] == ["[x] 1.wav", "a.wav"]
    assert [item.path.name for item in find_recordings([takes / "**" / "a.wav"], None, [])] == ["a.wav", "a.wav"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(takes: Path) -> None:
    assert [item.path.name for item in find_recordings([takes / "[x] 1.wav"], None, [])] == ["[x] 1.wav"]


def test_a_pattern_without_a_match_is_refused(takes: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.mp3: no file matches"):
        find_recordings([takes / "*.mp3"], None, [])


def test_output_names_are_distinct(takes: Path) -> None:
    recordings = find_recordings([takes / "a.wav", takes / "deep" / "a.wav", takes / "a.wav"], None, [])
    assert [item.name for item in recordings] == ["a", "a_2", "a_3"]


def test_lists_give_queries_and_output_names(takes: Path) -> None:
    lines = ["# mine", "a.wav", "deep/a.wav\tdog\tother/dog", "deep/a.wav\tcat\tother/dog", "", "b.flac\tdog\r"]
    (takes / "list.tsv").write_text("\n".join(lines), newline="")
    assert find_recordings([], takes / "list.tsv", [Query("rain"), Query("wind")]) == [
        Recording(takes / "a.wav", (Query("rain"), Query("wind")), "a"),
        Recording(takes / "deep" / "a.wav", (Query("dog"), Query("cat")), "other/dog"),
        Recording(takes / "b.flac", (Query("dog"),), "b"),
    ]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("a.wav\tdog\tx\ty", "line 2: expected path<TAB>query"),
        ("\tdog", "line 2: expected path<TAB>query"),
        ("a.wav\tdog\t../x", r"line 2: the output name '\.\./x' leaves the output folder"),
        ("a.wav\tdog\t/x", "line 2: the output name '/x' leaves the output folder"),
        ("a.wav", "line 2: no query; expected path<TAB>query, or give --query for all"),
        ("a.wav a dog", "line 2: 'a dog' is separated from the path by a blank; expected path<TAB>query<TAB>output"),
        ("[x] 1.wav  dog", "line 2: 'dog' is separated from the path by a blank"),
    ],
)
def test_malformed_lines_are_refused(takes: Path, line: str, wrong: str) -> None:
    (takes / "list.tsv").write_text(f"a.wav\tdog\n{line}\n")
    with pytest.raises(InputError, match=rf"list\.tsv: {wrong}"):
        find_recordings([], takes / "list.tsv", [])


def test_a_path_with_blanks_needs_no_tab(takes: Path) -> None:
    (takes / "[x] 1.wav dog").write_bytes((takes / "[x] 1.wav").read_bytes())
    (takes / "list.tsv").write_text("[x] 1.wav\n[x] 1.wav dog\nmissing 1.wav\n")
    names = [item.path.name for item in find_recordings([], takes / "list.tsv", ["rain"])]
    assert names == ["[x] 1.wav", "[x] 1.wav dog", "missing 1.wav"]


def test_no_recordings_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no input is given"):
        find_recordings([], None, [Query("rain")])
    with pytest.raises(InputError, match="contains no audio files"):
        find_recordings([tmp_path], None, [Query("rain")])


def test_what_an_earlier_run_wrote_below_the_input_is_not_an_input(takes: Path) -> None:
    output = takes / "deep"
    assert [item.name for item in find_recordings([takes], None, [], output)] == ["[x] 1", "a", "b"]
    assert [item.path for item in find_recordings([takes / "**" / "a.wav"], None, [], output)] == [takes / "a.wav"]


def test_files_of_the_output_folder_that_are_named_are_inputs(takes: Path) -> None:
    output, file = takes / "deep", takes / "deep" / "a.wav"
    for named in (file, output, output / "*.wav"):
        assert [item.path for item in find_recordings([named], None, [], output)] == [file]


def test_unsupported_audio_and_broken_links_are_recordings_too(takes: Path) -> None:
    (takes / "c.m4a").touch()
    (takes / "d.wav").symlink_to("d.wav")
    assert [item.name for item in find_recordings([takes], None, [])][3:] == ["c", "d", "deep/a"]
    assert [item.name for item in find_recordings([takes / "[cd].*"], None, [])] == ["c", "d"]


@pytest.mark.parametrize("output", ["examples", "examples/out", "examples/../examples/a/b"])
def test_targets_do_not_become_examples(takes: Path, tmp_path: Path, output: str) -> None:
    write_audio(tmp_path / "examples" / "dog.wav", np.ones((1, 800), np.float32), 8000)

    def asked(output: Path, like: Path) -> SeparateOptions:
        return SeparateOptions(inputs=(takes,), like=(like,), output=output)

    with pytest.raises(InputError, match=r"--output .*: is inside --like .*examples.*; give another folder"):
        requested_recordings(asked(tmp_path / output, tmp_path / "examples"))
    assert requested_recordings(asked(tmp_path / "out", tmp_path / "examples"))
    assert requested_recordings(asked(tmp_path / "examples", tmp_path / "examples" / "dog.wav"))
