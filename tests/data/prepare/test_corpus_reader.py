"""Reading the lists of corpora into records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dplass_cli.data.prepare.corpora import CORPORA, Corpus
from dplass_cli.data.prepare.corpus_reader import (
    LIST_FOLDER,
    column_texts,
    corpus_with_columns,
    file_records,
    find_tables,
    read_records,
    rows_where,
    stem,
)
from dplass_cli.errors import InputError

PLAIN = Corpus("", "", ("caption",), "**/{split}.json", name="wav")


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_columns_of_the_user_replace_those_of_the_table() -> None:
    corpus = corpus_with_columns("csv", {"wav": "path", "caption": "one,two", "start": "from"})
    assert (corpus.name, corpus.captions, corpus.start) == ("path", ("one", "two"), "from")
    assert corpus_with_columns("csv", {}) == CORPORA["csv"]
    with pytest.raises(InputError, match=r"--column wv: must be one of .*; did you mean 'wav'"):
        corpus_with_columns("csv", {"wv": "path"})


@pytest.mark.parametrize("content", [[{"wav": "a", "caption": "A"}], {"data": [{"wav": "a", "caption": "A"}]}])
def test_objects_are_read_from_a_list_or_from_data(tmp_path: Path, content: Any) -> None:
    records = read_records(PLAIN, [written(tmp_path / "train.json", content)], "train", split_given=True)
    assert records.to_dict("records") == [{"wav": "a", "caption": "A"}]


def test_integers_stay_integers_next_to_missing_values(tmp_path: Path) -> None:
    content = [{"wav": 12345678901234567, "caption": "A"}, {"caption": "B"}]
    records = read_records(PLAIN, [written(tmp_path / "train.json", content)], "train", split_given=False)
    assert column_texts(records, "wav").tolist() == ["12345678901234567", ""]


def test_records_of_several_lists_know_the_folder_of_their_list(tmp_path: Path) -> None:
    tables = [written(tmp_path / part / "x.json", [{"wav": part, "caption": "A"}]) for part in ("one", "two")]
    records = read_records(PLAIN, tables, "", split_given=False)
    assert records[LIST_FOLDER].tolist() == ["one", "two"]


def test_a_part_is_chosen_by_its_column_unless_the_list_is_named_after_it(tmp_path: Path) -> None:
    content = [{"wav": "a", "caption": "A", "split": "train"}, {"wav": "b", "caption": "B", "split": "test"}]
    mixed = written(tmp_path / "all.json", content)
    assert read_records(PLAIN, [mixed], "test", split_given=True)["wav"].tolist() == ["b"]
    named = written(tmp_path / "test.json", content)
    assert read_records(PLAIN, [named], "test", split_given=True)["wav"].tolist() == ["a", "b"]
    with pytest.raises(InputError, match="no part 'val' for --split; it has test, train"):
        read_records(PLAIN, [mixed], "val", split_given=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "contains no records"),
        ({"data": [1]}, "expected a list of objects"),
        ({"videos": {"tuba": 1}}, "expected lists of ids under 'videos'"),
        ([{"file": "a", "caption": "A"}], "no column 'wav' among file, caption; name the right one with --column"),
        ({"metadata": {"path": 1}}, "expected 'metadata'"),
        ({"metadata": {"path": {"x": {"test": "t.json"}}}}, "'x' has no 'train'; known: test"),
        (
            {"metadata": {"path": {"x": {"train": "gone.json"}}}},
            "names gone.json, which exists neither in the working folder nor in a folder",
        ),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=rf"train\.json: {message}"):
        read_records(PLAIN, [written(tmp_path / "train.json", content)], "train", split_given=False)


def test_lists_are_found_below_the_folder_but_not_lists_of_rejected_clips(tmp_path: Path) -> None:
    for name in ("mine.csv", "train-rejects.csv"):
        written(tmp_path / name, "wav,caption\n")
    assert find_tables(CORPORA["csv"], tmp_path, "") == [tmp_path / "mine.csv"]
    with pytest.raises(InputError, match=r"no \*\*/esc50\.csv in it; give the file with --table"):
        find_tables(CORPORA["esc50"], tmp_path, "")


def test_files_are_records_of_their_folders() -> None:
    files = ["/c/train/song/vocals.wav", "/c/test/song/bass.flac", "/c/notes.txt", "/c/top.mp3"]
    records = file_records(files, Path("/c"), "")
    assert records.drop(columns="file").to_numpy().tolist() == [
        ["train/song/vocals", "train", "song", "vocals"],
        ["test/song/bass", "test", "song", "bass"],
        ["top", "", "", "top"],
    ]
    assert file_records(files, Path("/c"), "test")["file"].tolist() == [files[1]]
    with pytest.raises(InputError, match="/c: no audio files below val; check the path"):
        file_records(files, Path("/c"), "val")


def test_rows_are_chosen_by_the_values_of_columns() -> None:
    records = pd.DataFrame({"fold": [1, 2, 3], "class": ["a", " b", "b"]}, dtype=object)
    assert rows_where(records, {}, "list").equals(records)
    assert rows_where(records, {"fold": "2, 3", "class": "b"}, "list")["fold"].tolist() == [2, 3]
    with pytest.raises(InputError, match=r"list: --where: no column 'folds' among .*; did you mean 'fold'"):
        rows_where(records, {"folds": "1"}, "list")
    with pytest.raises(InputError, match="list: no row has fold=9"):
        rows_where(records, {"fold": "9"}, "list")


def test_only_audio_suffixes_are_removed() -> None:
    assert [stem(name) for name in ("a.wav", "b .FLAC", "c.d", "e")] == ["a", "b", "c.d", "e"]
