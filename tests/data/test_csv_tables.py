"""Strict reading of text tables: every error names the file and the line."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from dplass_cli.data.csv_tables import collector_paused, csv_records, filled_rows, table_lines
from dplass_cli.data.prepare.corpus_tables import read_table
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


def test_an_unclosed_quote_on_the_last_line_is_an_error_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'a,b\n1,"2')
    with pytest.raises(InputError, match=r"t\.csv: line 2: unclosed quote; close it on the same line"):
        list(table_lines(path))


@pytest.mark.parametrize("content", ['id,text\n1,a\n2,"b\n3,c\n', 'id,text\n1,a\n2,"b'])
def test_an_unclosed_quote_is_an_error_where_its_record_starts(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "t.csv", content)
    message = r"t\.csv: line 3: unclosed quote in the record that starts here; close it"
    with pytest.raises(InputError, match=message):
        list(csv_records(path))
    with pytest.raises(InputError, match=message):
        list(filled_rows(path, ("id", "text"), "a table"))


def test_an_unclosed_quote_in_a_header_is_named_before_missing_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'id,"text\n1,a\n')
    with pytest.raises(InputError, match=r"t\.csv: line 1: unclosed quote"):
        list(filled_rows(path, ("id", "text"), "a table"))


def test_a_field_that_is_too_long_is_an_error_at_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'a,b\n1,"2\n3"\n4,' + "x" * (2 << 20))
    with pytest.raises(InputError, match=r"t\.csv: line 4: not CSV \(field larger than field limit"):
        list(csv_records(path))


@pytest.mark.parametrize("content", ['a,"b"', 'a,"b"\r\n', 'a,"b"\n\n', 'a,"b""c"\r'])
def test_a_quote_that_is_closed_at_the_end_of_the_file_is_fine(tmp_path: Path, content: str) -> None:
    fields = next(csv_records(written(tmp_path / "t.csv", content)))[1]
    assert fields[0] == "a"
    assert fields[1].startswith("b")


def test_a_record_may_span_lines_and_has_the_number_of_the_last(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", '\ufeffa,b\n1,"2\n3"\n4,5\n')
    assert list(csv_records(path)) == [(1, ["a", "b"]), (3, ["1", "2\n3"]), (4, ["4", "5"])]


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,\xe4\n")
    with pytest.raises(InputError, match=r"t\.csv: line 1: not UTF-8 text; save the file as UTF-8"):
        list(csv_records(tmp_path / "t.csv"))


def test_names_of_files_need_not_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"wav,caption\nd\xe9/caf\xe9.wav,a caf\xc3\xa9\nb.wav,a caf\xe9\n")
    records = csv_records(tmp_path / "t.csv")
    assert next(records) == (1, ["wav", "caption"])
    assert next(records) == (2, [os.fsdecode(b"d\xe9/caf\xe9.wav"), "a café"])
    with pytest.raises(InputError, match=r"t\.csv: line 3: not UTF-8 text; save the file as UTF-8"):
        next(records)


def test_filled_rows_have_their_columns_and_more(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,text,more\n1,a,\n2,b,c\n")
    rows = list(filled_rows(path, ("text", "id"), "a table"))
    assert rows == [(2, {"id": "1", "text": "a", "more": ""}), (3, {"id": "2", "text": "b", "more": "c"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\n1\n", "no column 'text'; a table has id, text, not id"),
        ("id,text\n", "the table has a header and no rows; add rows, or give another file"),
        ("id,text\n1,a\n2, \n", "line 3: 'text' is empty"),
        ("id,text\n1\n", "line 2: 'text' is empty"),
        ("id,text\n1,a,b\n", "line 2: expected 2 fields, not 3; quote commas"),
    ],
)
def test_a_row_that_is_not_filled_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"t\.csv: {message}"):
        list(filled_rows(written(tmp_path / "t.csv", content), ("id", "text"), "a table"))


FORMS = {
    "blanks": "id, text\n1, a\n2 ,b\n",
    "comments": "# made by hand\nid,text\n1,a\n# more\n2,b\n",
    "semicolons": "id;text\n1;a\n2;b\n",
    "tabs": "id\ttext\n1\ta\n2\tb\n",
    "blank rows": "\nid,text\n1,a\n,\n\n2,b,\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_table_with_a_header_is_read_in_the_usual_forms(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "t.csv", FORMS[form])
    rows = [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
    assert [row for _, row in filled_rows(path, ("id", "text"), "a table")] == rows
    assert read_table(path).to_dict("records") == rows


def test_delimiters_in_quotes_and_comments_in_records_are_text(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'id;text\n1;"a; b, c"\n2;"x\n# y"\n"#3";z\n')
    assert read_table(path)["text"].tolist() == ["a; b, c", "x\n# y", "z"]
    assert read_table(path)["id"].tolist() == ["1", "2", "#3"]


def test_a_comment_that_may_be_a_row_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "t.csv", "# by me, today\nid,text\n1,a\n#2,b\n# c\n3,d\n")
    assert read_table(path)["id"].tolist() == ["1", "3"]
    assert caplog.messages == [f"{path}: skips line 4 as a comment; quote its first value if it is a row"]


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
