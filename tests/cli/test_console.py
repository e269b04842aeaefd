"""What all verbs share: results for people and programs, errors as one line, exit codes."""

from __future__ import annotations

import errno
import json
import logging
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from dplass_cli.cli.console import VerbRun, plain_table, verb_run
from dplass_cli.errors import InputError, RunError


@dataclass(frozen=True)
class Result:
    path: Path
    score: float


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("--count 0: must be at least 1"), 2, "dplass: --count 0: must be at least 1\n"),
        (RunError("the disk is full;\nfree space"), 1, "dplass: the disk is full; free space\n"),
        (KeyboardInterrupt(), 3, "dplass: interrupted; all files that it has written are complete; run the same"),
        (OSError(errno.EACCES, "Permission denied", "/x"), 2, "dplass: /x: Permission denied; check the path"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stop, verb_run():
        raise error
    assert stop.value.exit_code == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(line)
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.ENOSPC, "No space left on device", "/x")])
def test_what_is_not_meant_for_the_user_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), verb_run():
        raise error


def test_verbose_logs_the_traceback_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(typer.Exit), verb_run(verbose=True):
        raise InputError("wrong")
    assert "traceback of the error" in caplog.text
    assert "InputError: wrong" in caplog.text


def test_a_termination_signal_is_an_interruption_and_its_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(typer.Exit) as stop, verb_run():
        signal.raise_signal(signal.SIGTERM)
    assert stop.value.exit_code == 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_result_is_json_or_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    def table() -> Any:
        return plain_table(["path", "score"], [["a.wav", "1.50"]], "scores")

    VerbRun(json=True).result(Result(Path("a.wav"), 1.5), table)
    assert json.loads(capsys.readouterr().out) == {"path": "a.wav", "score": 1.5}
    VerbRun().result(Result(Path("a.wav"), 1.5), table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "scores"
    assert [line.split() for line in lines if "a.wav" in line] == [["a.wav", "1.50"]]


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    VerbRun(json=True).note("domain 3 has no clips")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "domain 3 has no clips\n")


def test_items_that_failed_are_a_line_each_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stop:
        VerbRun().some_failed(["a.wav: unreadable", "b.wav: unreadable"])
    assert stop.value.exit_code == 1
    assert capsys.readouterr().err == "dplass: a.wav: unreadable\ndplass: b.wav: unreadable\n"
    VerbRun().some_failed([])  # nothing failed


def test_the_first_columns_of_a_table_are_aligned_left() -> None:
    table = plain_table(["name", "what", "n"], [["a", "b", 1]], left=2)
    assert [column.justify for column in table.columns] == ["left", "left", "right"]
