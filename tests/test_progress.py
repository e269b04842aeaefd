"""Progress: bars on a terminal, lines in a log file."""

from __future__ import annotations

import io
import sys
from types import ModuleType

import pytest
from tqdm.auto import tqdm

from dplass_cli.progress import ProgressBars


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_each_named_job_has_a_bar_of_its_own() -> None:
    stream = Terminal()
    progress = ProgressBars(stream)
    for done, what in ((1, "domain0: loss 1"), (2, "domain1: loss 2"), (10, "domain0: loss 3"), (10, "mixtures")):
        progress(done, 10, what)
    assert len(progress.bars) == 3
    progress.close()
    shown = stream.getvalue()
    for text in ("domain0: loss 1", "domain1: loss 2", "mixtures"):
        assert text in shown


def test_a_phase_that_begins_again_resets_its_bar() -> None:
    progress = ProgressBars(Terminal())
    progress(9, 10, "finding clips")
    progress(1, 50, "checking clips")
    (bar,) = progress.bars
    assert (bar.n, bar.total, bar.desc) == (1, 50, "checking clips")
    progress.close()


def test_long_work_shows_times_instead_of_counts() -> None:
    stream = io.StringIO()
    progress = ProgressBars(stream, seconds=0.0)
    progress(0, 1_000_000, "separating mix.wav")
    progress(500_000, 1_000_000, "separating mix.wav")
    line = stream.getvalue().splitlines()[-1]
    assert line == "separating mix.wav: 50%, 00:00, 00:00 left"


def test_closing_removes_the_bars_from_the_screen() -> None:
    stream = Terminal()
    progress = ProgressBars(stream)
    progress(5, 10, "checking clips")
    progress.close()
    assert stream.getvalue().rpartition("\r")[0].endswith(" ")  # the line is overwritten with blanks
    assert not progress.bars


def test_a_log_file_gets_lines_at_intervals() -> None:
    stream = io.StringIO()
    often, seldom = ProgressBars(stream, seconds=0.0), ProgressBars(stream, seconds=60.0)
    often(3, 10, "checking clips")
    often(4, 10, "checking clips")
    seldom(5, 10, "checking clips")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("checking clips: ") for line in lines)
    assert "4/10" in lines[1]
    assert "\r" not in stream.getvalue()


def test_a_notebook_gets_bars_although_its_stream_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    progress = ProgressBars(io.StringIO())
    progress(1, 10, "separating")
    (bar,) = progress.bars
    assert isinstance(bar, tqdm)
    progress.close()
