"""The manifest that passes between the verbs."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.data.manifest import Row, read_manifest, row_values, write_manifest
from dplass_cli.errors import InputError

WORDS = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)
NAMES = st.text("abc é-_.ü", min_size=1, max_size=20).filter(lambda name: name.strip(". "))
STARTS = st.just(0.0) | st.floats(0, 1e6, allow_subnormal=False)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    start = draw(STARTS)
    return Row(
        Path("/clips") / draw(NAMES),
        draw(WORDS),
        tuple(draw(st.lists(WORDS, max_size=3))),
        draw(WORDS),
        start,
        draw(st.none() | st.floats(1, 1e6).map(lambda length: start + length)),
    )


def write(path: Path, *items: Any) -> Path:
    path.write_text(json.dumps({"data": list(items)}), encoding="utf-8")
    return path


@given(wanted=st.lists(rows(), min_size=1, max_size=5))
@settings(deadline=None)  # a busy disk is no failure
def test_written_rows_are_read_back(tmp_path_factory: pytest.TempPathFactory, wanted: list[Row]) -> None:
    path = tmp_path_factory.getbasetemp() / "round trip.json"
    write_manifest(path, wanted)
    assert read_manifest(path) == wanted


def test_the_published_form_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", {"wav": "/clips/Yabc.wav", "caption": " Speech "})
    assert read_manifest(path) == [Row(Path("/clips/Yabc.wav"), "Speech", (), "Yabc", 0.0, None)]


def test_files_of_one_name_in_several_folders_are_several_recordings(tmp_path: Path) -> None:
    wavs = ["c/dog/0.wav", "c/dog/0.wav", "c/rain/0.wav", "c/rain/1.wav", "other/c/0.flac"]
    path = write(
        tmp_path / "m.json",
        *({"wav": wav, "caption": "x"} for wav in wavs),
        {"wav": "z/0.wav", "caption": "x", "id": "0"},
    )
    assert [row.id for row in read_manifest(path)] == ["c/dog/0", "c/dog/0", "c/rain/0", "1", "other/c/0", "0"]
    (alone,) = read_manifest(write(tmp_path / "n.json", {"wav": "c/dog/0.wav", "caption": "x"}))
    assert alone.id == "0"
    odd = write(tmp_path / "odd.json", {"wav": "x/..", "caption": "x"}, {"wav": "y/..", "caption": "x"})
    assert len(read_manifest(odd)) == 2


def test_unknown_keys_are_let_be_and_known_ones_read(tmp_path: Path) -> None:
    item = {"wav": "a.wav", "caption": "x", "labels": ["/m/a"], "id": "n", "start": 1, "end": 2.5, "split": "train"}
    assert read_manifest(write(tmp_path / "m.json", item)) == [Row(tmp_path / "a.wav", "x", ("/m/a",), "n", 1.0, 2.5)]


def test_values_of_further_keys_are_read(tmp_path: Path) -> None:
    given = {"wav": "a.wav", "caption": "rain"}
    devices = [{"device": "s1"}, {}, {"device": 3}, {"device": 0}, {"device": None}]
    path = write(tmp_path / "m.json", *({**given, **device} for device in devices))
    assert row_values(path, "device") == ["s1", "", "3", "0", ""]


def test_a_recording_may_be_numbered_0(tmp_path: Path) -> None:
    path = write(tmp_path / "m.json", {"wav": "a.wav", "caption": "x", "id": 0}, {"wav": "b.wav", "caption": "x"})
    assert [row.id for row in read_manifest(path)] == ["0", "b"]


def test_relative_paths_are_relative_to_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = write(tmp_path / "m.json", {"wav": "clips/a.wav", "caption": "x"}, {"wav": "/abs/b.wav", "caption": "y"})
    assert [row.wav for row in read_manifest(path)] == [tmp_path / "clips" / "a.wav", Path("/abs/b.wav")]


def test_written_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "deep" / "m.json", [Row(Path("clips/../a.wav"), "x")])
    content = json.loads((tmp_path / "deep" / "m.json").read_text())
    assert content["data"][0]["wav"] == str(tmp_path / "a.wav")


def test_empty_attributes_are_not_written(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.json", [Row(Path("/a.wav"), "x", id="a")])
    assert json.loads((tmp_path / "m.json").read_text()) == {"data": [{"wav": "/a.wav", "caption": "x", "id": "a"}]}


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("/m/a,/m/b", ("/m/a", "/m/b")),
        (" /m/a , /m/b, ", ("/m/a", "/m/b")),
        ("/m/a", ("/m/a",)),
        ("", ()),
        ([], ()),
        (["/m/a", "/m/b"], ("/m/a", "/m/b")),
    ],
)
def test_labels_are_a_list_or_a_text_with_commas(tmp_path: Path, labels: Any, wanted: tuple[str, ...]) -> None:
    path = write(tmp_path / "m.json", {"wav": "a.wav", "caption": "x", "labels": labels})
    assert read_manifest(path)[0].labels == wanted


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"caption": "x"}, "row 1 has no 'wav'"),
        ({"wav": "b.wav"}, "row 1 has no 'caption'"),
        ({"wav": " ", "caption": "x"}, "row 1: 'wav' must be a text"),
        ({"wav": "b.wav", "caption": ""}, "row 1: 'caption' must be a text"),
        ({"wav": "b.wav", "caption": ["x"]}, "row 1: 'caption' must be a text"),
        ({"wav": None, "caption": "x"}, "row 1: 'wav' must be a text"),
        ("b.wav", "row 1 is not an object"),
        ({"wav": "b.wav", "caption": "x", "labels": {"/m/a": 1}}, "row 1: 'labels' must be a list"),
        ({"wav": "b.wav", "caption": "x", "labels": [1]}, "row 1: 'labels' must be a list"),
        ({"wav": "b.wav", "caption": "x", "start": -1}, "row 1: 'start' and 'end'"),
        ({"wav": "b.wav", "caption": "x", "start": "1"}, "row 1: 'start' and 'end'"),
        ({"wav": "b.wav", "caption": "x", "start": True}, "row 1: 'start' and 'end'"),
        ({"wav": "b.wav", "caption": "x", "start": float("nan")}, "row 1: 'start' and 'end'"),
        ({"wav": "b.wav", "caption": "x", "start": 2, "end": 2}, "row 1: 'start' and 'end'"),
        ({"wav": "b.wav", "caption": "x", "end": float("inf")}, "row 1: 'start' and 'end'"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(tmp_path: Path, item: Any, message: str) -> None:
    path = write(tmp_path / "m.json", {"wav": "a.wav", "caption": "x"}, item)
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ('{"data": [', "not valid JSON"),
        ("wav,caption\na.wav,x\n", "not valid JSON"),
        ("[]", "not a manifest"),
        ("{}", "not a manifest"),
        ('{"data": {}}', "not a manifest"),
        ('{"data": []}', "has no rows"),
    ],
)
def test_other_files_are_refused_with_their_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)


def test_a_missing_manifest_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json: no such file"):
        read_manifest(tmp_path / "absent.json")


def test_a_file_whose_accents_are_encoded_in_another_way_is_found(tmp_path: Path) -> None:
    there = tmp_path / unicodedata.normalize("NFD", "café.wav")
    there.touch()
    write_manifest(tmp_path / "m.json", [Row(tmp_path / unicodedata.normalize("NFC", "café.wav"), "a café", id="c")])
    (row,) = read_manifest(tmp_path / "m.json")
    assert row.wav.is_file()


def test_captions_and_labels_must_be_text(tmp_path: Path) -> None:
    for row in (Row(Path("/a.wav"), "a \udcff"), Row(Path("/a.wav"), "x", ("\udcff",))):
        write_manifest(tmp_path / "m.json", [row])
        with pytest.raises(InputError, match=r"row 0: the caption or a label contains a lone surrogate; replace it"):
            read_manifest(tmp_path / "m.json")


def test_sampling_weights_are_kept(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.json", [Row(tmp_path / "a.wav", "rain", id="a", weight=0.25)])
    assert read_manifest(tmp_path / "a.json")[0].weight == 0.25
    (tmp_path / "b.json").write_text('{"data": [{"wav": "b.wav", "caption": "rain", "sampling_weight": -1}]}')
    with pytest.raises(InputError, match=r"row 0: 'sampling_weight' must be a number from 0 to 1e\+12, not -1"):
        read_manifest(tmp_path / "b.json")
