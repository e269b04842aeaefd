"""Files are written completely or not at all; reading reports what is wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from systems import needs_fork, needs_limits

from dplass_cli import storage
from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import (
    allow_open_files,
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


def test_only_disk_errors_are_reported_as_failed_writing() -> None:
    with pytest.raises(ConnectionResetError), writing_to("run", only_disk_errors=True):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    with pytest.raises(RunError, match="run: writing failed"), writing_to("run", only_disk_errors=True):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    storage.remove_file(tmp_path / "gone")
    with pytest.raises(InputError, match=r"cannot write there .*; choose another output folder"):
        storage.remove_file(tmp_path)


def test_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot create this folder"):
        write_text(tmp_path / "file" / "x.txt", "x")
    with pytest.raises(InputError, match="cannot create this folder"):
        make_folder(tmp_path / "file")


def test_unreadable_files_are_reported_with_the_cause(tmp_path: Path) -> None:
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


def test_nan_and_infinity_become_null_in_json(tmp_path: Path) -> None:
    value = {"a": [float("nan"), 1.5], "b": (float("inf"),), "ü": None}
    assert json.loads(json_text(value)) == {"a": [None, 1.5], "b": [None], "ü": None}
    write_json(tmp_path / "x.json", value)
    assert "ü" in (tmp_path / "x.json").read_text(encoding="utf-8")


@needs_fork
def test_the_leftover_of_a_killed_writer_is_overwritten(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        with storage.atomic_path(path) as temporary:
            temporary.write_text("half of something much longer")
            os.kill(os.getpid(), signal.SIGKILL)

    for _ in range(2):
        killed = multiprocessing.get_context("fork").Process(target=half, args=(tmp_path / "a.json",))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
    leftovers = list(tmp_path.iterdir())
    assert len(leftovers) == 2  # the file, and its lock
    assert all(path.name.startswith(".writing-") for path in leftovers)
    storage.write_text(tmp_path / "a.json", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "whole"


def test_two_writers_of_one_file_do_not_interfere(tmp_path: Path) -> None:
    with storage.atomic_path(tmp_path / "a.txt") as first:
        first.write_text("first")
        with storage.atomic_path(tmp_path / "a.txt") as second:
            assert second != first
            second.write_text("second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_writing_needs_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("dplass_cli.file_locks.try_lock", refuses)
    storage.write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_an_exclusive_lock_needs_a_file_system_with_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(storage, "try_lock", refuses)
    with (
        pytest.raises(InputError, match="files cannot be locked on this file system"),
        storage.locked(tmp_path / "lock"),
    ):
        pytest.fail("entered without a lock")


def test_a_scratch_folder_is_empty_and_is_removed(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "left").write_text("by a killed run")
    with storage.scratch_folder(tmp_path / "s") as one, storage.scratch_folder(tmp_path / "s") as other:
        assert one != other
        assert [path.name for path in one.iterdir() if not path.name.startswith(".")] == []
        (one / "x").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_process_starts_after_the_rename_is_left_alone(
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


def test_a_file_that_another_program_has_open_is_replaced_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refused = os.replace, [1, 2]

    def replace_unless_open(source: Path, target: Path) -> None:
        if refused:
            raise PermissionError(errno.EACCES, f"Access is denied {refused.pop()}")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_unless_open)
    write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    refused.extend(range(9))
    failing = pytest.raises(
        RunError, match=r"a.txt: writing failed \(Access is denied \d\); check its permissions, close"
    )
    with failing:
        write_text(tmp_path / "a.txt", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "whole")]


def test_a_lone_surrogate_in_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"caption": "a \\ud83d dog"}')
    with pytest.raises(InputError, match=r"contains a lone surrogate \('\\ud83d'\); replace it with a whole character"):
        read_json(tmp_path / "a.json")


def test_names_that_are_not_utf8_survive_in_json(tmp_path: Path) -> None:
    names = {"wav": os.fsdecode(b"caf\xe9.wav")}
    write_json(tmp_path / "a.json", names)
    assert "caf\\udce9.wav" in (tmp_path / "a.json").read_text("utf-8")
    assert read_json(tmp_path / "a.json") == names


def test_an_escaped_pair_of_surrogates_in_json_is_one_character(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('"\\ud83d\\udc36"')
    assert read_json(tmp_path / "a.json") == "🐶"


def test_a_file_is_hashed_with_progress(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(5_000_000))
    done: list[int] = []
    digest = storage.file_sha256(tmp_path / "a", done.append)
    assert digest == hashlib.sha256(bytes(5_000_000)).hexdigest()
    assert done == [1 << 22, 5_000_000]


def test_free_space_is_known_before_the_folder_exists(tmp_path: Path) -> None:
    assert storage.free_space(tmp_path / "not" / "yet") > 0
    assert not (tmp_path / "not").exists()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot write there; choose another folder"):
        storage.free_space(tmp_path / "file" / "below")


@needs_limits
def test_the_limit_of_open_files_is_raised_as_far_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = [(64, 1000)]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda kind, new: limits.append(new))
    assert allow_open_files(20) == 20
    assert len(limits) == 1
    assert allow_open_files(400) == 400
    assert 400 < limits[-1][0] < 500
    assert 900 < allow_open_files(1000) < 1000
    assert limits[-1][0] == 1000


def test_a_reached_limit_of_open_files_is_not_called_a_full_disk(tmp_path: Path) -> None:
    failing = pytest.raises(RunError, match=r"a: writing failed \(Too many open files\); raise the limit")
    with failing, writing_to(tmp_path / "a"):
        raise OSError(errno.EMFILE, "Too many open files")
