"""Tables of corpora as data frames: strict, with the line of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.data.prepare.corpus_tables import read_captions, read_columns, read_pairs, read_table
from dplass_cli.errors import InputError


def written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_rows_are_texts_with_their_line_numbers(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "t.csv", '# made by hand\nid, n\n\n007,"a\nb"\n,1e3\n'))
    assert table.to_dict("list") == {"id": ["007", ""], "n": ["a\nb", "1e3"]}
    assert table.index.tolist() == [5, 6]


def test_a_file_without_header_has_the_given_columns(tmp_path: Path) -> None:
    assert read_table(written(tmp_path / "t.csv", "1,2\n"), ["a", "b"]).to_dict("list") == {"a": ["1"], "b": ["2"]}


def test_of_repeated_columns_the_last_is_kept(tmp_path: Path) -> None:
    assert read_table(written(tmp_path / "t.csv", "a,b,a\n1,2,3\n")).to_dict("list") == {"b": ["2"], "a": ["3"]}


@pytest.mark.parametrize(("row", "remedy"), [("1", "leave none out, even if it is empty"), ("1,2,3", "quote commas")])
def test_short_and_long_rows_are_refused(tmp_path: Path, row: str, remedy: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv: line 3: expected 2 fields, not [13]; {remedy}"):
        read_table(written(tmp_path / "t.csv", f"a,b\n1,2\n{row}\n"))


def test_columns_are_found_by_any_of_their_names_in_any_case(tmp_path: Path) -> None:
    table = read_columns(
        written(tmp_path / "t.csv", "Caption,x,YOUTUBE_ID\n A dog ,1,abc\n"), ("ytid", "youtube_id"), ("caption",)
    )
    assert table.to_dict("list") == {"ytid": ["abc"], "caption": ["A dog"]}


def test_a_missing_column_or_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a header with the columns ytid or id and caption, not 'id,text'"):
        read_columns(written(tmp_path / "t.csv", "id,text\n1,a\n"), ("ytid", "id"), ("caption",))
    with pytest.raises(InputError, match="the table has a header and no rows"):
        read_columns(written(tmp_path / "t.csv", "id\n"), ("id",))


def test_pairs_are_a_dictionary_without_empty_or_repeated_keys(tmp_path: Path) -> None:
    assert read_pairs(written(tmp_path / "t.csv", "v,k\n1,a\n1,b\n"), ("k",), ("v",)) == {"a": "1", "b": "1"}
    with pytest.raises(InputError, match="line 2: k or v is empty"):
        read_pairs(written(tmp_path / "t.csv", "v,k\n,a\n"), ("k",), ("v",))
    with pytest.raises(InputError, match="line 3: k 'a' is listed twice"):
        read_pairs(written(tmp_path / "t.csv", "v,k\n1,a\n2,a\n"), ("k",), ("v",))


def test_captions_of_an_id_keep_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "youtube_id,caption\nb,Two\na,One\nb,Three\n")
    assert read_captions(path) == {"b": ("Two", "Three"), "a": ("One",)}
    assert list(read_captions(path)) == ["b", "a"]
    with pytest.raises(InputError, match="line 2: the id or the caption is empty"):
        read_captions(written(tmp_path / "t.csv", "id,caption\na, \n"))
