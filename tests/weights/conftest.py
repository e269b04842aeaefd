"""A local server that plays the Hugging Face Hub, its content network and a plain file server."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from dplass_cli.weights import downloading


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class FakeServer:
    """What it serves, how it misbehaves, and what it was asked.

    ``/hub/REPO/resolve/REVISION/PATH`` answers as the Hub does for large files: a redirect to another host, with the
    content's sha256; ``/plain/PATH`` answers at once.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)  # path: bytes after which the connection is cut, in turn
    answers: dict[str, list[int]] = field(default_factory=dict)  # path: error codes to answer first
    headers: dict[str, str | None] = field(default_factory=dict)  # instead of the usual ones; None: left out
    ranges: bool = True
    delay: float = 0.0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    table: Path = Path()

    def gets(self, part: str) -> list[dict[str, str]]:
        """The headers of the requests for paths that hold ``part``."""
        return [headers for path, headers in self.asked if part in path]

    def write_table(self, **rows: Any) -> None:
        self.table.write_text(
            yaml.safe_dump({name: {"what": "w", "licence": "l", **row} for name, row in rows.items()})
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fake: FakeServer = self.server.fake
        fake.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        if codes := fake.answers.get(self.path):
            self._answer(codes.pop(0), {"X-Error-Message": "as told"})
        elif self.path.startswith("/hub/"):
            data = fake.files.get(self.path)
            if data is None:
                self._answer(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            else:
                other_host = fake.url.replace("127.0.0.1", "localhost")
                self._answer(
                    302,
                    {
                        "Location": f"{other_host}/cdn{self.path}",
                        "X-Linked-Etag": f'"{sha256(data)}"',
                        "X-Linked-Size": str(len(data)),
                        "X-Repo-Commit": "c" * 40,
                    },
                )
        else:
            self._send(self.path.removeprefix("/cdn"))

    def _send(self, path: str) -> None:
        fake: FakeServer = self.server.fake
        data = fake.files.get(path)
        if data is None:
            return self._answer(404, {})
        start, status = 0, 200
        if fake.ranges and (asked := self.headers.get("Range")):
            start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(data):
                return self._answer(416, {"Content-Range": f"bytes */{len(data)}"})
        told: dict[str, str | None] = {"ETag": f'"{sha256(data)[:8]}"', "Content-Length": str(len(data) - start)}
        if status == 206:
            told["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        told.update(fake.headers)
        self.send_response(status)
        for key, value in told.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        time.sleep(fake.delay)
        cuts = fake.cuts.get(path)
        end = start + cuts.pop(0) if cuts else len(data)
        self.wfile.write(data[start:end])
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(key, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that leaves before the end is no error
            super().handle_error(request, client_address)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """The fake server, running; nothing waits between tries, and no proxy stands before it."""
    monkeypatch.setattr(downloading, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DPLASS_HOME", str(tmp_path / "home"))
    with _Server(("127.0.0.1", 0), _Handler) as http:
        fake = FakeServer(url=f"http://127.0.0.1:{http.server_address[1]}", table=tmp_path / "table.yaml")
        http.fake = fake  # type: ignore[attr-defined]
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        http.shutdown()
        thread.join()
