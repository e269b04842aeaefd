"""CSV files of rows: whole tables, and append-only records."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pandas as pd
import pytest

from dplass_cli.errors import InputError
from dplass_cli.records import Records, read_records, write_frames, write_rows

ROWS = [
    {"id": "1", "text": "a, b"},
    {"id": "2", "text": 'say "x"'},
    {"id": "3", "text": "two\nlines"},
    {"id": "4", "text": "a\rdog"},
    {"id": "5", "text": "at the end\r\n"},
]


def test_records_are_read_back_when_they_are_opened_again(tmp_path: Path) -> None:
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


def test_a_file_cut_anywhere_keeps_its_complete_rows(tmp_path: Path) -> None:
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


def test_a_damaged_row_before_the_end_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("# k\na,b\n1,2\n3\n5,6\n")
    with pytest.raises(InputError, match="row 2 is damaged"):
        read_records(path, ("a", "b"), "k")


def test_an_unclosed_quote_does_not_slow_reading_down(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("# k\na,b\n" + '1,"2\n' + "3,4\n" * 200_000)
    began = time.process_time()
    assert read_records(path, ("a", "b"), "k") == []
    assert time.process_time() - began < 5.0


def test_a_record_with_another_key_is_not_read(tmp_path: Path) -> None:
    write_rows(tmp_path / "r.csv", ["id", "text"], ROWS, key="this run")
    assert read_records(tmp_path / "r.csv", ["id", "text"], "this run") == ROWS
    assert read_records(tmp_path / "r.csv", ["id", "text"], "another run") is None
    assert read_records(tmp_path / "absent.csv", ["id", "text"], "this run") is None


def test_a_row_must_have_the_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dict contains fields not in fieldnames"):
        write_rows(tmp_path / "t.csv", ["id"], [{"id": 1, "more": 2}])
    assert not (tmp_path / "t.csv").exists()


def test_frames_are_written_below_each_other_like_rows(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", ["id", "text"], ROWS)
    frame = pd.DataFrame(ROWS)
    write_frames(tmp_path / "frames.csv", [frame[:2], frame[2:]])
    assert (tmp_path / "frames.csv").read_bytes() == (tmp_path / "rows.csv").read_bytes()


def test_missing_numbers_of_a_frame_are_empty(tmp_path: Path) -> None:
    write_frames(tmp_path / "t.csv", [pd.DataFrame({"start": [0.0, 30.0], "end": [float("nan"), 40.5]})])
    with open(tmp_path / "t.csv", newline="") as stream:
        assert list(csv.reader(stream)) == [["start", "end"], ["0.0", ""], ["30.0", "40.5"]]
