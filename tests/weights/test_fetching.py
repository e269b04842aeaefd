"""Fetching from a local server that plays the hub and a plain one: whole, resumed, pinned, refused."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.errors import InputError, RunError
from dplass_cli.pipelines.weights import FetchOptions, fetch_weights, list_weights, verify_weights
from dplass_cli.weights.known import Known, KnownFile, known_weights

CONTENT = bytes(range(256)) * 4096
COMMIT = "c" * 40


@dataclass
class Served:
    """What the server has, which answers it cuts short, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            wanted = self.headers.get("Range")
            served.asked.append((self.command, self.path, wanted))
            content = served.files.get(self.path)
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and "-" in wanted[:-1] + "-" else 0
            if self.headers.get("If-Range") not in (None, etag):
                first = 0
            part = content[first:]
            self.send_response(206 if first else 200)
            self.send_header("ETag", etag)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(part)))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if body:
                self.wfile.write(part[: served.cut.pop(0)] if served.cut else part)

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{running.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    monkeypatch.setattr("dplass_cli.weights.fetching.time.sleep", lambda seconds: None)
    yield served
    running.shutdown()
    running.server_close()
    thread.join()


def table(served: Served) -> dict[str, Known]:
    """An entry from the hub, a space of it, and a plain address."""
    served.files |= {
        "/lab/model/resolve/main/model.pt": CONTENT,
        "/spaces/lab/demo/resolve/main/checkpoint/base.ckpt": CONTENT[::-1],
        "/lists/list.csv": CONTENT[:100_000],
    }
    return {
        "model": Known("w", "MIT", "p", (KnownFile("model.pt", 1.0, "lab/model"),)),
        "space": Known("w", "MIT", "p", (KnownFile("checkpoint/base.ckpt", 1.0, "lab/demo", "space"),)),
        "lists": Known("w", "MIT", "p", (KnownFile("list.csv", url=f"{served.url}/lists/list.csv"),)),
    }


@pytest.mark.parametrize("name", ["model", "space", "lists"])
def test_fetched_once_and_pinned(server: Served, tmp_path: Path, name: str) -> None:
    known = table(server)
    options = FetchOptions((name,), tmp_path)
    (checked,) = fetch_weights(options, table=known)
    assert checked.state == "fetched"
    assert checked.path == tmp_path / name / known[name].files[0].path
    assert hashlib.sha256(checked.path.read_bytes()).hexdigest() == checked.sha256
    asked = len(server.asked)
    assert fetch_weights(options, table=known)[0].state == "present"
    assert fetch_weights(FetchOptions((name,), tmp_path, offline=True), table=known)[0].state == "present"
    assert len(server.asked) == asked  # nothing is asked for what is there
    assert {item.name: item.present for item in list_weights(tmp_path, known)}[name] == "all"
    left = {path.name for path in tmp_path.rglob("[!.]*") if path.is_file() and ".cache" not in path.parts}
    assert left == {checked.path.name, "dplass-weights.lock.json"}


@pytest.mark.parametrize("name", ["model", "lists"])
def test_a_cut_connection_is_taken_up_where_it_was(
    server: Served, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)  # what arrives is kept by the chunk
    known = table(server)
    server.cut = [60_000, 30_000]
    told: list[tuple[int, int]] = []
    (checked,) = fetch_weights(
        FetchOptions((name,), tmp_path), lambda done, total, what: told.append((done, total)), known
    )
    size = checked.path.stat().st_size
    assert told[-1] == (size, size)
    assert checked.path.read_bytes() in server.files.values()
    ranges = [wanted for command, path, wanted in server.asked if command == "GET" and wanted]
    assert any(wanted.startswith("bytes=") and wanted != "bytes=0-" for wanted in ranges)


def test_a_fetch_given_up_goes_on_in_the_next_run(server: Served, tmp_path: Path) -> None:
    known = table(server)
    server.cut = [1000] * 5
    with pytest.raises(RunError, match="what arrived is kept, run again to go on"):
        fetch_weights(FetchOptions(("lists",), tmp_path), table=known)
    fetch_weights(FetchOptions(("lists",), tmp_path), table=known)
    assert server.asked[-1][2] == "bytes=5000-"


def test_a_file_that_changed_meanwhile_is_begun_anew(server: Served, tmp_path: Path) -> None:
    known = table(server)
    server.cut = [1000] * 5
    with pytest.raises(RunError):
        fetch_weights(FetchOptions(("lists",), tmp_path), table=known)
    server.files["/lists/list.csv"] = b"new" * 5000
    (checked,) = fetch_weights(FetchOptions(("lists",), tmp_path), table=known)
    assert checked.path.read_bytes() == b"new" * 5000


@pytest.mark.parametrize("name", ["model", "lists"])
def test_another_hash_than_the_pinned_one_is_refused(server: Served, tmp_path: Path, name: str) -> None:
    known = table(server)
    options = FetchOptions((name,), tmp_path)
    (checked,) = fetch_weights(options, table=known)
    checked.path.unlink()
    for path in server.files:
        server.files[path] = b"something else"
    other = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(InputError, match=rf"has the hash {other}, not the pinned {checked.sha256}.*set aside"):
        fetch_weights(options, table=known)
    assert not checked.path.exists()
    assert checked.path.with_name(checked.path.name + ".other").read_bytes() == b"something else"
    checked.path.write_bytes(b"damaged here")
    with pytest.raises(InputError, match="remove the file to fetch it again"):
        fetch_weights(options, table=known)


@pytest.mark.parametrize("name", ["model", "lists"])
def test_what_the_server_does_not_have_is_said(server: Served, tmp_path: Path, name: str) -> None:
    known = table(server)
    server.files.clear()
    with pytest.raises(RunError, match="404"):
        fetch_weights(FetchOptions((name,), tmp_path), table=known)
    assert not list(tmp_path.rglob("*.csv"))


def test_no_server_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.weights.fetching.time.sleep", lambda seconds: None)
    known = {"lists": Known("w", "MIT", "p", (KnownFile("a.csv", url="http://127.0.0.1:9/a.csv"),))}
    with pytest.raises(RunError, match="cannot be fetched"):
        fetch_weights(FetchOptions(("lists",), tmp_path), table=known)


def _fetch(folder: Path, known: dict[str, Known]) -> None:
    fetch_weights(FetchOptions(("lists",), folder), table=known)


def test_two_processes_at_once_leave_one_whole_file(server: Served, tmp_path: Path) -> None:
    known = table(server)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_fetch, args=(tmp_path, known)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert (tmp_path / "lists" / "list.csv").read_bytes() == CONTENT[:100_000]


def test_verify_tells_what_differs(server: Served, tmp_path: Path) -> None:
    known = table(server)
    fetch_weights(FetchOptions(("model", "lists"), tmp_path), table=known)
    assert [item.state for item in verify_weights((), tmp_path)] == ["same", "same"]
    (tmp_path / "lists" / "list.csv").write_bytes(b"x")
    (tmp_path / "model" / "model.pt").unlink()
    assert {item.name: item.state for item in verify_weights((), tmp_path)} == {
        "lists/list.csv": "differs",
        "model/model.pt": "missing",
    }
    done = CliRunner().invoke(app, ["weights", "verify", "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert "list.csv: differs; remove it and fetch it again" in done.stderr


def refused(message: str, *arguments: str) -> None:
    done = CliRunner().invoke(app, ["weights", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr


def test_wrong_usage_is_one_line(tmp_path: Path) -> None:
    folder = str(tmp_path)
    refused("name what to fetch: audiosep, clap", "fetch", "-o", folder)
    refused("'audiosepp' is none of the known weights; did you mean 'audiosep'", "fetch", "audiosepp", "-o", folder)
    refused("--offline fetches nothing", "fetch", "clap", "--offline", "-o", folder)
    refused("lies in a Google Drive folder; download https://drive.google.com", "fetch", "dplass", "-o", folder)
    refused("pins nothing; fetch it first", "verify", "-o", folder)
    (tmp_path / "dplass-weights.lock.json").write_text('{"files": {"a": 1}}')
    refused("not a lock file of weights", "verify", "-o", folder)


def test_adapters_put_there_by_hand_are_pinned(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "dplass").mkdir(exist_ok=True)
        (tmp_path / "dplass" / f"cluster{number}_model.pt").write_bytes(bytes([number]))
    checked = fetch_weights(FetchOptions(("dplass",), tmp_path))
    assert [item.name for item in checked] == ["dplass/cluster0_model.pt", "dplass/cluster1_model.pt"]
    assert {item.state for item in verify_weights(("dplass",), tmp_path)} == {"same"}


def test_the_shipped_table_is_whole() -> None:
    table = known_weights()
    assert {"audiosep", "clap", "tokenizer", "dplass", "audioset", "benchmarks"} == table.keys()
    for entry in table.values():
        assert entry.page.startswith("https://")
        assert bool(entry.files) != bool(entry.drive)
        assert all(bool(file.hub) != bool(file.url) for file in entry.files)
    done = CliRunner().invoke(app, ["weights", "list"])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in table)
