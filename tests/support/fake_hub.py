"""A local server that plays the Hugging Face Hub's model repositories: create, commit, list, download."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeHub:
    """The repositories, and who may use them.

    Attributes:
        url: its address.
        commits: {repository: [{path: content}, …]}, the latest last.
        private: repositories that need the token.
        token: the only token that may write.
        asked: paths of all requests.
    """

    url: str = ""
    commits: dict[str, list[dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    token: str = "hf_right"
    asked: list[str] = field(default_factory=list)

    def find(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision names, and its files."""
        found = {commit_name(number): files for number, files in enumerate(self.commits.get(repository, []))}
        if revision == "main" and found:
            return list(found.items())[-1]
        return (revision, found[revision]) if revision in found else None


def commit_name(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        hub: FakeHub = self.server.hub
        hub.asked.append(self.path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/?]+))?(?:\?.*)?", self.path):
            self._describe(match[1], match[2] or "main")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/?]+)\?.*", self.path):
            self._list(*match.groups())
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)", self.path):
            self._send_file(*match.groups())
        else:
            self._json(404, {})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        hub: FakeHub = self.server.hub
        hub.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._json(401, {"error": "Invalid username or password."})
        if self.path == "/api/validate-yaml":  # the header of README.md
            return self._json(200, {"errors": [], "warnings": []})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if asked.get("private") or asked.get("visibility") == "private":
                hub.private.add(name)
            if name in hub.commits:
                return self._json(409, {"url": f"{hub.url}/{name}"})
            hub.commits[name] = [{}]
            return self._json(200, {"url": f"{hub.url}/{name}"})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            files = json.loads(body)["files"]
            return self._json(
                200, {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            parts = [json.loads(line) for line in body.splitlines()]
            files = {p["value"]["path"]: base64.b64decode(p["value"]["content"]) for p in parts if p["key"] == "file"}
            hub.commits[match[1]].append({**hub.commits[match[1]][-1], **files})
            oid = commit_name(len(hub.commits[match[1]]) - 1)
            return self._json(
                200, {"commitUrl": f"{hub.url}/{match[1]}/commit/{oid}", "commitOid": oid, "success": True}
            )
        self._json(404, {})

    def _allowed(self, repository: str) -> bool:
        hub: FakeHub = self.server.hub
        return repository not in hub.private or self.headers.get("Authorization") == f"Bearer {hub.token}"

    def _describe(self, repository: str, revision: str) -> None:
        if found := self._found(repository, revision):
            siblings = [{"rfilename": path} for path in found[1]]
            self._json(
                200, {"id": repository, "modelId": repository, "sha": found[0], "siblings": siblings, "tags": []}
            )

    def _list(self, repository: str, revision: str) -> None:
        if found := self._found(repository, revision):
            ids = {path: hashlib.sha1(content).hexdigest() for path, content in found[1].items()}
            self._json(200, [{"type": "file", "path": p, "size": len(found[1][p]), "oid": ids[p]} for p in ids])

    def _found(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit; None, and the Hub's answer, where there is none or it is private."""
        hub: FakeHub = self.server.hub
        if repository not in hub.commits or not self._allowed(repository):
            self._json(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        elif found := hub.find(repository, revision):
            return found
        else:
            self._json(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
        return None

    def _send_file(self, repository: str, revision: str, path: str) -> None:
        hub: FakeHub = self.server.hub
        found = hub.find(repository, revision)
        if found is None or path not in found[1] or not self._allowed(repository):
            return self._json(404, {}, {"X-Error-Code": "EntryNotFound"})
        content = found[1][path]
        headers = {
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
            "X-Repo-Commit": found[0],
            "Accept-Ranges": "bytes",
        }
        self._answer(200, content, headers)

    def _json(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextlib.contextmanager
def running_hub() -> Iterator[FakeHub]:
    """The fake Hub, running until the context ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        hub = FakeHub(url=f"http://127.0.0.1:{http.server_address[1]}")
        http.hub = hub  # type: ignore[attr-defined]
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            http.shutdown()
            thread.join()
