"""Records that grow row by row survive being torn."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.records import Records, read_records, write_rows

ROWS = [
    {"id": "1", "text": "a, b"},
    {"id": "2", "text": 'say "x"'},
    {"id": "3", "text": "two\nlines"},
    {"id": "4", "text": "a\rdog"},
    {"id": "5", "text": "at the end\r\n"},
]


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    with Records(path, ["id", "text"], "key") as records:
        records.append(ROWS[:2])
        records.append(ROWS[2:])
    with Records(path, ["id", "text"], "key") as records:
        assert records.rows == ROWS
    assert path.read_bytes().startswith(b'# key\nid,text\n1,"a, b"\n2,')
    write_rows(tmp_path / "table.csv", ["id", "text"], ROWS)
    assert (tmp_path / "table.csv").read_bytes() == path.read_bytes().partition(b"\n")[2]
    with Records(path, ["id", "text"], "other") as records:
        assert records.rows == []


def test_torn_records_keep_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    with Records(path, ["id", "text"], "key") as records:
        records.append(ROWS)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Records(path, ["id", "text"], "key") as records:
            kept = list(records.rows)
            records.append([{"id": "9", "text": "end"}])
        assert kept == ROWS[: len(kept)]
        with Records(path, ["id", "text"], "key") as records:
            assert records.rows == [*kept, {"id": "9", "text": "end"}]


def test_a_record_that_is_damaged_before_its_end_says_where(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("# k\na,b\n1,2\n3\n5,6\n")
    with pytest.raises(InputError, match="row 2 is damaged"):
        read_records(path, ("a", "b"), "k")


def test_a_record_of_open_quotes_is_read_in_no_time(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("# k\na,b\n" + '1,"2\n' + "3,4\n" * 200_000)
    began = time.process_time()
    assert read_records(path, ("a", "b"), "k") == []
    assert time.process_time() - began < 5.0
