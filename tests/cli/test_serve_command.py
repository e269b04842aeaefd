"""``dplass serve`` as it is called: it begins, answers, ends by a signal, and leaves nothing."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from page_client import encoded, noise
from serve_process import serve_process
from systems import needs_signals
from typer.testing import CliRunner

from dplass_cli.cli import app

pytest.importorskip("uvicorn", reason="pip install 'dplass[serve]'")


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_ends_it_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with serve_process(tmp_path) as (process, address):
        assert b"Separate a sound" in urllib.request.urlopen(address, timeout=30).read()
        long = encoded(noise(120, 32000), 32000)  # still under way at the signal
        sent = urllib.request.urlopen(f"{address}/jobs?query=rain", long, timeout=30)
        told = json.loads(sent.read())
        while told["state"] == "queued":
            told = json.loads(urllib.request.urlopen(f"{address}/jobs/{told['id']}", timeout=30).read())
        assert [path.name.startswith("dplass-serve-") for path in tmp_path.iterdir()] == [True]
        begun = time.monotonic()
        process.send_signal(number)
        output, complaints = process.communicate(timeout=30)
        assert (process.returncode, output, complaints) == (0, "", "")
        assert time.monotonic() - begun < 20
        assert list(tmp_path.iterdir()) == []


@needs_signals
def test_a_server_for_others_warns(tmp_path: Path) -> None:
    with serve_process(tmp_path, "--host", "0.0.0.0") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        urllib.request.urlopen(address, timeout=30).close()
        process.send_signal(signal.SIGTERM)
        complaints = process.communicate(timeout=30)[1]
    assert complaints.strip() == (
        "dplass: warning: whoever reaches this machine can use the page; it asks for no password"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--port", "70000"], "--port 70000: must be from 0 to 65535"),
        (["--max-upload-mb", "0"], "--max-upload-mb 0.0: must be above 0"),
        (["--select", "txt"], "did you mean 'text'"),
        (["--host", ""], "--host is empty; give an address"),
        (["--root-path", "sounds/"], "--root-path sounds/: expected a path without a slash at its end"),
        (["--port", "eighty"], "--port: must be a valid integer"),
        (["--host", "256.1.1.1"], "--host 256.1.1.1 --port 7860: cannot listen there"),
    ],
)
def test_wrong_use_is_one_line(options: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["serve", "--no-open", *options])
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["serve", "--no-open", "--port", str(port)])
    assert done.exit_code == 2
    assert f"--host 127.0.0.1 --port {port}: cannot listen there (" in done.stderr
    assert "choose another host or port" in done.stderr


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.extras.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["serve", "--no-open"])
    assert done.exit_code == 2
    assert "pip install 'dplass[serve]'" in done.stderr


@pytest.mark.parametrize(("options", "opened"), [(["--open"], 1), (["--no-open"], 0), ([], 0)])
def test_a_browser_is_opened_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, options: list[str], opened: int
) -> None:
    import webbrowser

    from dplass_cli.pipelines import serve
    from dplass_cli.server.http_server import ServerAddress

    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    monkeypatch.setattr(serve, "serve", lambda _, started: started(ServerAddress("http://127.0.0.1:1", True)))
    done = CliRunner().invoke(app, ["serve", *options])
    assert (done.exit_code, done.stdout) == (0, "http://127.0.0.1:1 (Ctrl-C ends it)\n")
    assert addresses == ["http://127.0.0.1:1"] * opened
