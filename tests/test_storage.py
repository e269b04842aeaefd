"""Writes are whole or not there; records survive being torn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.storage import (
    Records,
    atomic_path,
    json_text,
    make_folder,
    read_json,
    read_text,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        _write_half(path)
    assert [(p.name, p.read_text()) for p in path.parent.iterdir()] == [("file.txt", "old")]


def _write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise ZeroDivisionError


def test_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot make this folder"):
        write_text(tmp_path / "file" / "x.txt", "x")
    with pytest.raises(InputError, match="cannot make this folder"):
        make_folder(tmp_path / "file")


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json: no such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)
    (tmp_path / "empty.json").touch()
    with pytest.raises(InputError, match="the file is empty"):
        read_json(tmp_path / "empty.json")
    (tmp_path / "broken.json").write_text('{"a": 1,}')
    with pytest.raises(InputError, match=r"not valid JSON .*line 1"):
        read_json(tmp_path / "broken.json")
    (tmp_path / "latin.txt").write_bytes("für".encode("latin-1"))
    with pytest.raises(InputError, match=r"not UTF-8 text \(byte 1\)"):
        read_text(tmp_path / "latin.txt")
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "bom.json") == [1]


def test_json_has_no_nan(tmp_path: Path) -> None:
    value = {"a": [float("nan"), 1.5], "b": (float("inf"),), "ü": None}
    assert json.loads(json_text(value)) == {"a": [None, 1.5], "b": [None], "ü": None}
    write_json(tmp_path / "x.json", value)
    assert "ü" in (tmp_path / "x.json").read_text(encoding="utf-8")


ROWS = [{"id": "1", "text": "a, b"}, {"id": "2", "text": 'say "x"'}, {"id": "3", "text": "two\nlines"}]


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    with Records(path, ["id", "text"], "key") as records:
        records.append(ROWS[:2])
        records.append(ROWS[2:])
    with Records(path, ["id", "text"], "key") as records:
        assert records.rows == ROWS
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
