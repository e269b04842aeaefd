"""Hours of use in minutes: what stays behind when ``serve`` and ``separate`` work on and on.

``python scripts/soak.py serve --minutes 30`` serves a page to eight clients that send, listen, cancel and go away;
``python scripts/soak.py separate --files 2000`` separates so many short files in one run. Both watch the process from
outside (memory, open files), print one JSON object, and end with 1 where something grew, was left or was unfair.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "support")]
os.environ["PYTHONPATH"] = str(ROOT)

from serving import serving  # noqa: E402

GROWTH, MOST = 1.05, 1.25  # the last third over the first, on average; the largest over the level after warming up
MORE_HANDLES = 16  # connections under way when it is counted


@dataclass
class Watched:
    """A process as it is seen from outside, again and again: resident memory, MB, and open files."""

    process: int
    memory: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Look once; a process that has just ended is not looked at."""
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{self.process}/statm").read_text().split()[1])
            if pages:  # none are left of a process that has ended
                self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
                self.handles.append(sum(1 for _ in Path(f"/proc/{self.process}/fd").iterdir()))

    def told(self) -> dict[str, Any]:
        """Figures for people, and what is to be held against the rules."""
        third = max(1, len(self.memory) // 3)
        first, last = statistics.mean(self.memory[:third]), statistics.mean(self.memory[-third:])
        return {
            "memory_mb": {
                "first": round(self.memory[0]),
                "last": round(self.memory[-1]),
                "most": round(max(self.memory)),
            },
            "memory_growth": round(last / first, 3),
            "handles": {"first": self.handles[0], "last": self.handles[-1], "most": max(self.handles)},
        }


class Client(threading.Thread):
    """Sends a recording and waits, cancels it, goes away while sending or listening, or sends what is no sound."""

    def __init__(self, number: int, port: int, ends: float) -> None:
        super().__init__()
        self._chance, self._port, self._ends = random.Random(number), port, ends
        self._bytes = _recording()
        self.count: Counter[str] = Counter()
        self.waited: list[float] = []  # seconds from queued to done
        self.overtaken = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Do one thing after the other until the time is over, or something is wrong."""
        things = (self.wait, self.wait, self.cancel, self.cancel, self.leave, self.lie, self.turn_away)
        while time.monotonic() < self._ends and not self.wrong:
            what = self._chance.choice(things)
            try:
                what()
            except (OSError, http.client.HTTPException, AssertionError, KeyError, ValueError) as error:
                self.wrong.append(f"{what.__name__}: {error!r}")
            self.count[what.__name__] += 1

    def wait(self) -> None:
        """Send a recording, ask until it is done, listen to everything, drop it."""
        told = self._until_done()
        if told is not None:
            for sound in told["sounds"]:
                assert len(self._ask("GET", sound["audio"])[1]) > len(self._bytes) - 1000
            assert self._ask("DELETE", f"/jobs/{told['id']}")[0] == 204

    def cancel(self) -> None:
        """Send a recording, and drop it a moment later."""
        job = self._send()
        time.sleep(self._chance.uniform(0.0, 1.5))
        if job is not None:
            assert self._ask("DELETE", f"/jobs/{job}")[0] == 204
            assert self._ask("GET", f"/jobs/{job}")[0] == 404

    def leave(self) -> None:
        """Go away while sending."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(self._bytes)}\r\n\r\n"
            connection.sendall(head.encode() + self._bytes[: self._chance.randrange(len(self._bytes) // 2)])

    def lie(self) -> None:
        """Send what is no sound."""
        status, said = self._ask("POST", "/jobs?query=rain", b"RIFF this is no sound")
        assert status in (415, 503), said

    def turn_away(self) -> None:
        """Go away while listening."""
        told = self._until_done()
        if told is not None:
            with socket.create_connection(("127.0.0.1", self._port)) as connection:
                connection.sendall(f"GET {told['sounds'][0]['audio']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                connection.recv(self._chance.randrange(1, 4096))
            assert self._ask("DELETE", f"/jobs/{told['id']}")[0] == 204

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _send(self) -> str | None:
        status, said = self._ask("POST", "/jobs?query=a%20dog%20barking&query=rain", self._bytes)
        if status == 503:
            self.count["full"] += 1
            time.sleep(self._chance.uniform(0.1, 0.5))
            return None
        assert status == 202, said
        return str(json.loads(said)["id"])

    def _until_done(self) -> dict[str, Any] | None:
        job, queued, ahead = self._send(), time.monotonic(), 1 << 30
        while job is not None:
            told: dict[str, Any] = json.loads(self._ask("GET", f"/jobs/{job}")[1])
            assert told["state"] != "failed", told
            self.overtaken += told["ahead"] > ahead
            ahead = told["ahead"]
            if told["state"] == "done":
                self.waited.append(time.monotonic() - queued)
                return told
            time.sleep(0.1)
        return None


def _recording() -> bytes:
    from dplass_cli.server.http_app import example_wav

    return example_wav()


def soak_serve(minutes: float, clients: int) -> dict[str, Any]:
    """Serve clients for some minutes; figures, and under ``wrong`` what broke a rule."""
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as (process, address):
        port = int(address.rpartition(":")[2])
        warm = Client(0, port, 0.0)
        for _ in range(6):
            warm.wait()
        watched = Watched(process.pid)
        ends = time.monotonic() + 60 * minutes
        crowd = [Client(number, port, ends) for number in range(1, clients + 1)]
        for client in crowd:
            client.start()
        while any(client.is_alive() for client in crowd):
            watched.look()
            time.sleep(0.5)
        (folder,) = Path(name).glob("dplass-serve-*")
        for _ in range(100):
            if not list(folder.iterdir()):
                break
            time.sleep(0.1)
        left = [path.name for path in folder.iterdir()]
        process.terminate()
        complaints = process.communicate(timeout=60)[1]
        left += [path.name for path in Path(name).rglob("*") if path.is_file() or path.name.startswith("dplass-")]
    waits = [seconds for client in crowd for seconds in client.waited]
    served = [len(client.waited) for client in crowd]
    figures = {
        "minutes": minutes,
        "clients": clients,
        "done": dict(sum((client.count for client in crowd), Counter[str]())),
        **watched.told(),
        "served": served,
        "wait_seconds": {"median": round(statistics.median(waits), 2), "most": round(max(waits), 2)} if waits else {},
        "overtaken": sum(client.overtaken for client in crowd),
        "left": left,
    }
    wrong = [wrong for client in crowd for wrong in client.wrong]
    wrong += [f"files are left: {left}"] if left else []
    wrong += ["a client was overtaken in the queue"] if figures["overtaken"] else []
    wrong += ["a client was never served"] if not all(served) else []
    wrong += [f"the server complained: {complaints[-1500:]}"] if complaints else []
    return {**figures, "wrong": [*wrong, *_grown(watched, watched.handles[0])]}


def soak_separate(files: int) -> dict[str, Any]:
    """Separate many short files in one run; figures, and under ``wrong`` what broke a rule."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _write_files(place / "in", files)
        command = [sys.executable, "-m", "dplass_cli", "separate", str(place / "in"), "--query", "a dog barking"]
        command += ["--output", str(place / "out"), "--json", "--device", "cpu"]
        began = time.monotonic()
        with open(place / "said", "w", encoding="utf-8") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.PIPE, text=True)
            watched = Watched(process.pid)
            while process.poll() is None:
                if sum(1 for _ in (place / "out").glob("*")) > files // 20:  # warm
                    watched.look()
                time.sleep(0.5)
        complaints = process.communicate()[1]
        written = [path for path in (place / "out").rglob("*") if path.is_file()]
        figures = {
            "files": files,
            "seconds": round(time.monotonic() - began, 1),
            "written": len(written),
            "exit": process.returncode,
            **watched.told(),
        }
    wrong = (
        [] if process.returncode == 0 and len(written) == files else [f"not all were separated: {complaints[-500:]}"]
    )
    return {**figures, "wrong": [*wrong, *_grown(watched, watched.handles[0])]}


def _grown(watched: Watched, handles: int) -> list[str]:
    told = watched.told()
    wrong = [] if told["memory_growth"] < GROWTH else [f"memory grew: {told['memory_growth']}"]
    wrong += [] if max(watched.memory) < MOST * watched.memory[0] else [f"memory rose: {told['memory_mb']}"]
    return wrong + ([] if watched.handles[-1] <= handles + MORE_HANDLES else [f"open files grew: {told['handles']}"])


def _write_files(folder: Path, count: int) -> None:
    """Write short recordings of several forms and rates."""
    from dplass_cli.audio.writing import write_audio
    from dplass_cli.sounds import CATALOGUE, render

    kinds = list(CATALOGUE)
    forms = ((".wav", 16000), (".wav", 44100), (".flac", 32000), (".ogg", 22050))
    for number in range(count):
        suffix, rate = forms[number % len(forms)]
        sound = render(kinds[number % len(kinds)].name, number, 0.5 + 0.5 * (number % 3), rate)
        subtype = "VORBIS" if suffix == ".ogg" else "PCM_16"
        write_audio(folder / f"{number:05d}{suffix}", sound[None], rate, subtype)


def main() -> int:
    """Soak a verb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="clients that send, listen, cancel and go away")
    serve.add_argument("--minutes", type=float, default=30.0)
    serve.add_argument("--clients", type=int, default=8)
    separate = verbs.add_parser("separate", help="many short files in one run")
    separate.add_argument("--files", type=int, default=2000)
    given = parser.parse_args()
    found = soak_serve(given.minutes, given.clients) if given.verb == "serve" else soak_separate(given.files)
    print(json.dumps(found, indent=2))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
