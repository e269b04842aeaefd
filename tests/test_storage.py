"""Writes are whole or not there."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from dplass_cli import storage
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import (
    atomic_path,
    json_text,
    make_folder,
    read_json,
    read_text,
    write_json,
    write_text,
    writing_to,
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


def test_a_lost_connection_among_writes_is_not_told_as_a_full_disk() -> None:
    with pytest.raises(ConnectionResetError), writing_to("run", among_others=True):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    with pytest.raises(RunError, match="run: writing failed"), writing_to("run", among_others=True):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    storage.remove_file(tmp_path / "gone")
    with pytest.raises(InputError, match=r"cannot write there .*; choose another output folder"):
        storage.remove_file(tmp_path)


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


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        with storage.atomic_path(path) as temporary:
            temporary.write_text("half of something much longer")
            os.kill(os.getpid(), signal.SIGKILL)

    for _ in range(2):
        killed = multiprocessing.get_context("fork").Process(target=half, args=(tmp_path / "a.json",))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".writing-")
    storage.write_text(tmp_path / "a.json", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "whole"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with storage.atomic_path(tmp_path / "a.txt") as first:
        first.write_text("first")
        with storage.atomic_path(tmp_path / "a.txt") as second:
            assert second != first
            second.write_text("second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(storage.fcntl, "flock", refuses)
    storage.write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_what_several_processes_share_needs_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(handle: int, how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(storage.fcntl, "flock", refuses)
    with pytest.raises(InputError, match="files cannot be locked there"), storage.locked(tmp_path / "lock"):
        pytest.fail("went in")


def test_a_scratch_folder_is_empty_and_goes(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "left").write_text("by a killed run")
    with storage.scratch_folder(tmp_path / "s") as one, storage.scratch_folder(tmp_path / "s") as other:
        assert one != other
        assert [path.name for path in one.iterdir() if not path.name.startswith(".")] == []
        (one / "x").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_begins_to_write_after_the_rename_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replace_and_be_overtaken(source: Path, target: Path) -> None:
        replace(source, target)
        Path(source).write_text("the other's")

    monkeypatch.setattr(os, "replace", replace_and_be_overtaken)
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("ours")
    assert (tmp_path / "a.txt").read_text() == "ours"
    assert temporary.read_text() == "the other's"
