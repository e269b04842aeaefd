"""Fetching against a local server that cuts connections, lies and fails."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from systems import needs_limits
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.weights import downloading

if TYPE_CHECKING:
    from conftest import FakeServer

DATA = random.Random(0).randbytes(3_000_000)
PLAIN = "/plain/lists/a.bin"


def run(server: FakeServer, verb: str, *arguments: str, code: int = 0) -> str:
    """Run a verb in this process and return its output."""
    done = CliRunner().invoke(app, ["weights", verb, "--table", str(server.table), *arguments])
    assert done.exit_code == code, done.output
    if code:
        (line,) = [line for line in done.stderr.splitlines() if line]
        assert line.startswith("dplass: ")
    return done.output


def process(server: FakeServer, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Run ``dplass weights`` as a process of its own: the Hub's client reads its settings when it is imported."""
    return subprocess.Popen(
        [sys.executable, "-m", "dplass_cli", "weights", *arguments, "--table", str(server.table)],
        env={**os.environ, "HF_ENDPOINT": f"{server.url}/hub", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def home(server: FakeServer, tmp_path: Path) -> Path:
    """The folder of fetched files, with a row ``lists`` of one plain file and ``model`` of one of the Hub to fetch."""
    server.files[PLAIN] = DATA
    server.files["/hub/spaces/some/one/resolve/main/checkpoint/m.ckpt"] = DATA
    server.write_table(
        lists={"url": f"{server.url}/plain/", "files": [{"path": "lists/a.bin"}], "note": "sizes are not verified"},
        model={"hub": "spaces/some/one", "files": [{"path": "checkpoint/m.ckpt", "sha256": digest(DATA)}]},
    )
    return tmp_path / "home"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pins(home: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((home / "dplass-weights.lock.json").read_text())["files"]
    return files


def test_a_file_is_fetched_once_and_pinned(server: FakeServer, home: Path) -> None:
    output = run(server, "fetch", "lists")
    assert "fetched" in output
    assert "lists: licence l. sizes are not verified" in output
    assert (home / "lists" / "a.bin").read_bytes() == DATA
    assert pins(home) == {"lists/a.bin": {"sha256": digest(DATA), "size": len(DATA), "source": f"{server.url}/plain/"}}
    assert "ok" in run(server, "verify")
    assert json.loads(run(server, "list", "lists", "--json"))[0]["folder"] == str(home / "lists")
    asked = len(server.asked)
    (again,) = json.loads(
        CliRunner().invoke(app, ["weights", "fetch", "lists", "--table", str(server.table), "--json"]).stdout
    )
    assert not again["downloaded"]
    assert len(server.asked) == asked


def test_the_token_of_the_hub_is_not_sent_to_another_host(server: FakeServer, home: Path) -> None:
    fetch = process(server, "fetch", "model", "--json", HF_TOKEN="hf_secret")
    out, err = fetch.communicate(timeout=60)
    assert fetch.returncode == 0, err
    (fetched,) = json.loads(out)
    assert fetched["sha256"] == digest(DATA)
    assert Path(fetched["path"]).read_bytes() == DATA
    assert [headers.get("authorization") for headers in server.gets("")] == ["Bearer hf_secret", None]
    offline = process(server, "fetch", "model", "--output", str(home / "other"), HF_HUB_OFFLINE="1")
    _, err = offline.communicate(timeout=60)
    assert offline.returncode == 2
    assert "HF_HUB_OFFLINE is set" in err
    assert len(server.asked) == 2


def test_a_download_from_the_hub_is_resumed_by_another_run(server: FakeServer, home: Path) -> None:
    path = "/hub/spaces/some/one/resolve/main/checkpoint/m.ckpt"
    server.cuts[path] = [1_000_000] + [0] * downloading.TRIES
    killed = process(server, "fetch", "model")
    deadline = time.monotonic() + 60
    while len(server.gets("/cdn")) < 2 and time.monotonic() < deadline:  # it has a part and is at its second try
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    server.cuts.clear()
    server.asked.clear()
    resumed = process(server, "fetch", "model")
    _, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    assert [headers.get("range") for headers in server.gets("/cdn")] == ["bytes=1000000-"]
    assert (home / "model" / "m.ckpt").read_bytes() == DATA


def test_cut_connections_are_resumed(server: FakeServer, home: Path) -> None:
    server.cuts[PLAIN] = [700_000, 0, 0, 900_000, 0, 0, 100_000]  # tries that bring something give new ones
    run(server, "fetch", "lists")
    starts = [headers.get("range") for headers in server.gets(PLAIN)]
    assert starts == [None] + ["bytes=700000-"] * 3 + ["bytes=1600000-"] * 3 + ["bytes=1700000-"]
    assert (home / "lists" / "a.bin").read_bytes() == DATA
    assert not list(home.rglob("*.part"))


def test_a_partial_file_is_kept_and_resumed_by_the_next_run(server: FakeServer, home: Path) -> None:
    server.cuts[PLAIN] = [1_000_000] + [0] * downloading.TRIES
    assert "the connection was cut at 1,000,000 of 3,000,000 bytes" in run(server, "fetch", "lists", code=1)
    assert not (home / "lists").exists()
    server.cuts.clear()
    server.asked.clear()
    run(server, "fetch", "lists")
    assert [headers.get("range") for headers in server.gets(PLAIN)] == ["bytes=1000000-"]
    assert (home / "lists" / "a.bin").read_bytes() == DATA


def test_a_complete_download_is_not_repeated(server: FakeServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.replace", _denied)
    assert "the file is kept as" in run(server, "fetch", "lists", code=1)
    monkeypatch.undo()
    monkeypatch.setenv("DPLASS_HOME", str(home))
    server.asked.clear()
    run(server, "fetch", "lists")
    assert server.asked == []
    assert (home / "lists" / "a.bin").read_bytes() == DATA


def _denied(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("weak", [False, True])
def test_a_partial_file_is_dropped_if_the_file_has_changed(server: FakeServer, home: Path, weak: bool) -> None:
    if weak:
        server.headers["ETag"] = 'W/"same"'
    server.cuts[PLAIN] = [1_000_000] + [0] * downloading.TRIES
    run(server, "fetch", "lists", code=1)
    server.cuts.clear()
    server.files[PLAIN] = DATA[::-1]
    run(server, "fetch", "lists")
    assert (home / "lists" / "a.bin").read_bytes() == DATA[::-1]


def test_a_server_without_ranges_starts_again(server: FakeServer, home: Path) -> None:
    server.ranges = False
    server.cuts[PLAIN] = [1_000_000]
    run(server, "fetch", "lists")
    assert (home / "lists" / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Length": None}, "does not say how large"),
        ({"Content-Encoding": "gzip"}, "compressed, which was not requested"),
        ({"Content-Length": "1000, 1000"}, "does not say how large"),
    ],
)
def test_responses_that_cannot_be_checked_are_refused(server: FakeServer, home: Path, headers: Any, says: str) -> None:
    server.headers = headers
    assert says in run(server, "fetch", "lists", code=1)
    assert not (home / "lists").exists()


def test_a_file_of_an_unlikely_size_is_not_pinned(server: FakeServer, home: Path) -> None:
    server.write_table(lists={"url": f"{server.url}/plain/", "files": [{"path": "lists/a.bin", "size": 2_900_000}]})
    for page in (b"<html>please log in</html>", b""):
        server.files[PLAIN] = page
        output = run(server, "fetch", "lists", code=1)
        assert f"{len(page):,} bytes, expected about 2,900,000" in output
        assert not (home / "lists").exists()
        assert not (home / "dplass-weights.lock.json").exists()
        (kept,) = (home / ".fetching" / "lists").iterdir()
        kept.unlink()
    server.files[PLAIN] = DATA
    run(server, "fetch", "lists")
    assert list(pins(home)) == ["lists/a.bin"]


def test_an_entry_may_have_the_name_of_the_lock(server: FakeServer, home: Path) -> None:
    server.write_table(pins={"url": f"{server.url}/plain/", "files": [{"path": "lists/a.bin"}]})
    run(server, "fetch", "pins")
    assert list(pins(home)) == ["pins/a.bin"]


def test_errors_of_the_server_are_reported_or_retried(server: FakeServer, home: Path) -> None:
    server.answers[PLAIN] = [404]
    assert f"{server.url}{PLAIN}: the server answers 404 (as told)" in run(server, "fetch", "lists", code=1)
    server.answers[PLAIN] = [403]
    assert "set HF_TOKEN" in run(server, "fetch", "lists", code=1)
    server.answers[PLAIN] = [503] * downloading.TRIES
    assert "answers 503" in run(server, "fetch", "lists", code=1)
    server.answers[PLAIN] = [503, 429]
    run(server, "fetch", "lists")
    assert not (home / "model").exists()


def test_an_unreachable_server_is_reported(server: FakeServer, home: Path) -> None:
    server.write_table(lists={"url": "http://127.0.0.1:9", "files": [{"path": "a.bin"}]})
    assert "check the connection" in run(server, "fetch", "lists", code=1)


def test_a_file_with_another_hash_than_the_pinned_one_is_kept_aside(server: FakeServer, home: Path) -> None:
    run(server, "fetch", "lists")
    (home / "lists" / "a.bin").unlink()
    server.files[PLAIN] = b"other"
    output = run(server, "fetch", "lists", code=1)
    assert digest(DATA) in output
    assert digest(b"other") in output
    assert "pinned in" in output
    aside = home / "lists" / f"a.bin.differs-{digest(b'other')[:8]}"
    assert [path.read_bytes() for path in (home / "lists").iterdir()] == [aside.read_bytes()] == [b"other"]
    assert pins(home)["lists/a.bin"]["sha256"] == digest(DATA)
    (home / "lists" / "a.bin").write_bytes(b"mine")
    assert digest(b"mine") in run(server, "fetch", "lists", code=1)
    assert (home / "lists" / "a.bin").read_bytes() == b"mine"


def test_a_file_with_another_hash_than_the_table_is_refused(server: FakeServer, home: Path) -> None:
    files = [{"path": "lists/a.bin", "sha256": "0" * 64}]
    server.write_table(lists={"url": f"{server.url}/plain", "files": files})
    output = run(server, "fetch", "lists", code=1)
    assert f"expected sha256 {'0' * 64} (from the table)" in output
    assert digest(DATA) in output
    assert not (home / "lists" / "a.bin").exists()
    (home / "dplass-weights.lock.json").write_text(json.dumps({"files": {"lists/a.bin": {"sha256": "1" * 64}}}))
    output = run(server, "fetch", "lists", code=2)
    assert "1" * 64 in output
    assert "0" * 64 in output


def test_offline_fetches_nothing_and_lists_what_is_missing(server: FakeServer, home: Path) -> None:
    assert f"{home / 'lists' / 'a.bin'}: not fetched yet; run without" in run(
        server, "fetch", "lists", "--offline", code=2
    )
    (home / "lists").mkdir(parents=True)
    (home / "lists" / "a.bin").write_bytes(DATA)
    assert "was there" in run(server, "fetch", "lists", "--offline")
    assert pins(home)["lists/a.bin"]["sha256"] == digest(DATA)
    assert server.asked == []


def test_of_two_processes_one_downloads_and_the_other_waits(server: FakeServer, home: Path) -> None:
    server.delay = 1.0
    both = [process(server, "fetch", "lists", "--json") for _ in range(2)]
    outcomes = [running.communicate(timeout=60) for running in both]
    assert [running.returncode for running in both] == [0, 0], outcomes
    assert sorted(json.loads(out)[0]["downloaded"] for out, _ in outcomes) == [False, True]
    assert len(server.asked) == 1
    assert (home / "lists" / "a.bin").read_bytes() == DATA


def test_too_little_free_space_is_reported_before_downloading(
    server: FakeServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=1000))
    assert "a.bin needs 3,000,000 more bytes, 1,000 are free" in run(server, "fetch", "lists", code=1)


@needs_limits
def test_a_download_that_could_not_be_written_is_resumed(server: FakeServer, home: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))
    try:
        assert "writing failed (File too large)" in run(server, "fetch", "lists", code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    run(server, "fetch", "lists")
    assert server.gets(PLAIN)[1]["range"].startswith("bytes=1")
    assert (home / "lists" / "a.bin").read_bytes() == DATA


def test_folders_that_cannot_be_written_are_refused(server: FakeServer, home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot create this folder" in run(server, "fetch", "lists", "--output", str(tmp_path / "file"), code=2)
    if os.name == "nt" or os.geteuid() == 0:
        return  # modes are ignored
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in run(server, "fetch", "lists", "--output", str(tmp_path / "closed"), code=2)


@pytest.fixture
def drive(server: FakeServer) -> str:
    url = "https://drive.google.com/drive/folders/1"
    server.write_table(adapters={"drive": url, "files": [{"path": "c0.pt"}, {"path": "c1.pt"}]})
    return url


def test_files_that_are_fetched_by_hand_are_pinned(
    server: FakeServer, home: Path, drive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    output = run(server, "fetch", "adapters", code=2)
    assert f"open {drive}, put c0.pt, c1.pt into {home / 'adapters'} and run again" in output
    for name in ("c0.pt", "c1.pt"):
        (home / "adapters").mkdir(exist_ok=True)
        (home / "adapters" / name).write_bytes(name.encode())
    run(server, "fetch", "adapters")
    assert set(pins(home)) == {"adapters/c0.pt", "adapters/c1.pt"}


def test_google_drive_is_fetched_with_the_extra(
    server: FakeServer, home: Path, drive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DownloadError(Exception):
        pass

    brings = ["c0.pt"]

    def download_folder(url: str, output: str, **_: Any) -> None:
        assert url == drive
        if not brings:
            raise DownloadError("too many accesses")
        for name in brings:
            (Path(output) / "DP-LASS").mkdir(exist_ok=True)
            (Path(output) / "DP-LASS" / name).write_text(name)

    gdown = types.SimpleNamespace(
        download_folder=download_folder, exceptions=types.SimpleNamespace(DownloadError=DownloadError)
    )
    monkeypatch.setitem(sys.modules, "gdown", gdown)
    assert "no c1.pt in this folder" in run(server, "fetch", "adapters", code=1)
    assert (home / "adapters" / "c0.pt").read_text() == "c0.pt"
    brings.append("c1.pt")
    run(server, "fetch", "adapters")
    assert (home / "adapters" / "c1.pt").read_text() == "c1.pt"
    (home / "adapters" / "c1.pt").unlink()
    brings.clear()
    assert "too many accesses" in run(server, "fetch", "adapters", code=1)
