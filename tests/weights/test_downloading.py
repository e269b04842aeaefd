"""Downloads by themselves; tests/weights/test_fetching.py tests them as part of fetching."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dplass_cli.errors import RunError
from dplass_cli.storage import no_progress
from dplass_cli.weights.downloading import TRIES, download

if TYPE_CHECKING:
    from conftest import FakeServer

DATA = bytes(range(256)) * 1000


def test_the_progress_is_in_megabytes(server: FakeServer, tmp_path: Path) -> None:
    server.files["/a"] = bytes(5_000_000)
    calls: list[tuple[int, int, str]] = []
    download(f"{server.url}/a", tmp_path, "a", {}, lambda *call: calls.append(call))
    assert calls[-1] == (5, 5, "a, MB")


def test_a_cut_connection_is_resumed_from_where_it_broke(server: FakeServer, tmp_path: Path) -> None:
    server.files["/a"], server.cuts["/a"] = DATA, [100_000]
    assert download(f"{server.url}/a", tmp_path, "a", {}, no_progress).read_bytes() == DATA
    assert [headers.get("range") for headers in server.gets("/a")] == [None, "bytes=100000-"]


def test_headers_are_sent(server: FakeServer, tmp_path: Path) -> None:
    server.files["/a"] = DATA
    download(f"{server.url}/a", tmp_path, "a", {"Authorization": "Bearer x"}, no_progress)
    assert server.gets("/a")[0]["authorization"] == "Bearer x"


@pytest.mark.parametrize(("code", "attempts"), [(404, 1), (403, 1), (503, TRIES), (429, TRIES)])
def test_only_transient_errors_are_retried(server: FakeServer, tmp_path: Path, code: int, attempts: int) -> None:
    server.answers["/a"] = [code] * TRIES
    with pytest.raises(RunError, match=f"the server answers {code}"):
        download(f"{server.url}/a", tmp_path, "a", {}, no_progress)
    assert len(server.asked) == attempts
