"""Strict reading of text tables: every error names the file and the line."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from dplass_cli.data.csv_tables import collector_paused, csv_records, filled_rows, table_lines
from dplass_cli.errors import InputError


def written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_blank_lines_and_comments_are_skipped_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", '# "open\n\na, "b, c"\r\n  # more\n d,e\n')
    assert list(table_lines(path)) == [(3, ["a", "b, c"]), (5, ["d", "e"])]


def test_quotes_are_ordinary_characters_between_tabs(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tsv", '1\tThe "Amen\n2\tb')
    assert list(table_lines(path, "\t")) == [(1, ["1", 'The "Amen']), (2, ["2", "b"])]


def test_an_unclosed_quote_is_an_error_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'a,b\n1,"2\n3,4\n')
    with pytest.raises(InputError, match=r"t\.csv: line 2: unclosed quote; close it on the same line"):
        list(table_lines(path))


def test_a_record_may_span_lines_and_has_the_number_of_the_last(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", '\ufeffa,b\n1,"2\n3"\n4,5\n')
    assert list(csv_records(path)) == [(1, ["a", "b"]), (3, ["1", "2\n3"]), (4, ["4", "5"])]


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,\xe4\n")
    with pytest.raises(InputError, match=r"t\.csv: not UTF-8 text; save the file as UTF-8"):
        list(csv_records(tmp_path / "t.csv"))


def test_filled_rows_have_their_columns_and_more(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,text,more\n1,a,\n2,b,c\n")
    rows = list(filled_rows(path, ("text", "id"), "a table"))
    assert rows == [(2, {"id": "1", "text": "a", "more": ""}), (3, {"id": "2", "text": "b", "more": "c"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\n1\n", "no column 'text'; a table has id, text"),
        ("id,text\n", "the table has no rows"),
        ("id,text\n1,a\n2, \n", "line 3: 'text' is empty"),
        ("id,text\n1\n", "line 2: 'text' is empty"),
        ("id,text\n1,a,b\n", "line 2: more fields than the 2 of the header; quote commas"),
    ],
)
def test_a_row_that_is_not_filled_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv: {message}"):
        list(filled_rows(written(tmp_path / "t.csv", content), ("id", "text"), "a table"))


def test_the_collector_is_resumed_after_an_error() -> None:
    assert gc.isenabled()
    seen: list[bool] = []

    @collector_paused()
    def failing() -> None:
        seen.append(gc.isenabled())
        raise ValueError("a bad row")

    with pytest.raises(ValueError, match="a bad row"):
        failing()
    assert (seen, gc.isenabled()) == ([False], True)
