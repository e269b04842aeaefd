"""The quickstart's folder: what it refuses; tests/test_readme.py runs it from start to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.quickstart_options import QuickstartOptions
from dplass_cli.pipelines.quickstart import quickstart


class Stopped(Exception):
    """Raised by a progress callback."""


def stop(done: int, total: int, what: str) -> None:
    raise Stopped


def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty; choose another folder"):
        quickstart(QuickstartOptions(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError):
        quickstart(QuickstartOptions(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unknown_device_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        quickstart(QuickstartOptions(tmp_path / "demo", device="cuda:99"))
    assert not (tmp_path / "demo").exists()


def test_an_interrupted_quickstart_may_go_on(tmp_path: Path) -> None:
    options = QuickstartOptions(tmp_path / "demo", clips=1)
    for _ in range(2):  # the second call claims the folder of the first
        with pytest.raises(Stopped):
            quickstart(options, stop)


def test_an_interrupted_quickstart_of_other_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        quickstart(QuickstartOptions(tmp_path / "demo", clips=1), stop)
    with pytest.raises(InputError, match="is not empty"):
        quickstart(QuickstartOptions(tmp_path / "demo", clips=2), stop)
