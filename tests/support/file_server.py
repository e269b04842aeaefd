"""A local HTTP server of files in memory that answers ranges, and can cut, stall, corrupt and refuse its answers."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class FileServer:
    """What is served, and what goes wrong.

    Attributes:
        url: its address.
        files: {path: content}.
        cut: {path: number of the next answers that end in the middle}.
        stall: {path: seconds before an answer}.
        corrupt: {path: number of the next answers in which a byte differs}.
        refuse: {path: HTTP status}.
        requests: {path: number of requests for its content}.
        sent: {path: bytes of its content that were sent}.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: Counter[str] = field(default_factory=Counter)
    stall: dict[str, float] = field(default_factory=dict)
    corrupt: Counter[str] = field(default_factory=Counter)
    refuse: dict[str, int] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)

    def serve(self, folder: Path, name: str = "shards") -> Path:
        """Serve the files of a folder; returns its address as a path."""
        self.files |= {f"/{name}/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
        return Path(f"{self.url}/{name}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, head: bool) -> None:
        files: FileServer = self.server.files
        path = self.path
        if path not in files.files or path in files.refuse:
            self.send_response(files.refuse.get(path, 404))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        whole = files.files[path]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(asked[1]), min(len(whole), int(asked[2]) + 1)) if asked else (0, len(whole))
        content = whole[start:stop]
        if not head:
            files.requests[path] += 1
            time.sleep(files.stall.get(path, 0.0))
            if files.corrupt[path] > 0:
                files.corrupt[path] -= 1
                content = bytes([content[0] ^ 0xFF]) + content[1:]
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(whole)}")
        self.end_headers()
        if head:
            return
        with contextlib.suppress(ConnectionError):  # a client that has stopped waiting
            if files.cut[path] > 0:
                files.cut[path] -= 1
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            else:
                files.sent[path] += len(content)  # before the client can look
                self.wfile.write(content)


@contextlib.contextmanager
def running_file_server() -> Iterator[FileServer]:
    """The server, running until the context ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        files = FileServer(url=f"http://127.0.0.1:{http.server_address[1]}")
        http.files = files  # type: ignore[attr-defined]
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield files
        finally:
            http.shutdown()
            thread.join()
