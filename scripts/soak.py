"""Soak tests: whether ``serve`` and ``separate`` leak memory, file handles or files under sustained load.

    python scripts/soak.py serve --minutes 30
    python scripts/soak.py separate --files 2000

``serve`` serves the page to eight clients that upload, download, cancel and disconnect; ``separate`` separates many
short files in one run. Both monitor the process from outside, print one JSON object, and exit with 1 if memory or open
files grew, files were left behind, or a client was served out of turn.
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

from serve_process import serve_process  # noqa: E402

MAX_GROWTH = 1.05  # mean memory of the last third of the run relative to the first
MAX_PEAK = 1.25  # peak memory relative to that after warming up
EXTRA_HANDLES = 16  # connections that may be open when handles are counted


@dataclass
class ProcessMonitor:
    """Samples of a process's memory and open files.

    Attributes:
        process: its id.
        memory: resident memory, MB.
        handles: number of open files.
    """

    process: int
    memory: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    def sample(self) -> None:
        """Take a sample, unless the process has ended."""
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{self.process}/statm").read_text().split()[1])
            if pages:  # 0 for a process that has ended
                self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
                self.handles.append(sum(1 for _ in Path(f"/proc/{self.process}/fd").iterdir()))

    def figures(self) -> dict[str, Any]:
        """The first, last and largest values, and the growth."""
        third = max(1, len(self.memory) // 3)
        first, last = statistics.mean(self.memory[:third]), statistics.mean(self.memory[-third:])
        return {
            "memory_mb": {
                "first": round(self.memory[0]),
                "last": round(self.memory[-1]),
                "max": round(max(self.memory)),
            },
            "memory_growth": round(last / first, 3),
            "handles": {"first": self.handles[0], "last": self.handles[-1], "max": max(self.handles)},
        }


class Client(threading.Thread):
    """A client of the page that repeats random actions.

    Args:
        number: seed.
        port: of the server.
        ends: when to stop, in seconds of the monotonic clock.

    Attributes:
        count: {action: how often}.
        waits: seconds from queued to done.
        overtaken: how often a later job was run first.
        failures: what went wrong.
    """

    def __init__(self, number: int, port: int, ends: float) -> None:
        super().__init__()
        self._rng, self._port, self._ends = random.Random(number), port, ends
        self._recording = _example()
        self.count: Counter[str] = Counter()
        self.waits: list[float] = []
        self.overtaken = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Act until the time is over or something fails."""
        actions = (
            self.separate,
            self.separate,
            self.cancel,
            self.cancel,
            self.break_off_upload,
            self.send_garbage,
            self.break_off_download,
        )
        while time.monotonic() < self._ends and not self.failures:
            action = self._rng.choice(actions)
            try:
                action()
            except (OSError, http.client.HTTPException, AssertionError, KeyError, ValueError) as error:
                self.failures.append(f"{action.__name__}: {error!r}")
            self.count[action.__name__] += 1

    def separate(self) -> None:
        """Upload a recording, wait until it is done, download all sounds, drop the job."""
        job = self._separated()
        if job is not None:
            for sound in job["sounds"]:
                assert len(self._request("GET", sound["audio"])[1]) > len(self._recording) - 1000
            assert self._request("DELETE", f"/jobs/{job['id']}")[0] == 204

    def cancel(self) -> None:
        """Upload a recording and drop its job a moment later."""
        job = self._send()
        time.sleep(self._rng.uniform(0.0, 1.5))
        if job is not None:
            assert self._request("DELETE", f"/jobs/{job}")[0] == 204
            assert self._request("GET", f"/jobs/{job}")[0] == 404

    def break_off_upload(self) -> None:
        """Disconnect during an upload."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            head = (
                f"POST /jobs?query=rain HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(self._recording)}\r\n\r\n"
            )
            connection.sendall(head.encode() + self._recording[: self._rng.randrange(len(self._recording) // 2)])

    def send_garbage(self) -> None:
        """Upload a file that is not audio."""
        status, content = self._request("POST", "/jobs?query=rain", b"RIFF this is not audio")
        assert status in (415, 503), content

    def break_off_download(self) -> None:
        """Disconnect during a download."""
        job = self._separated()
        if job is not None:
            with socket.create_connection(("127.0.0.1", self._port)) as connection:
                connection.sendall(f"GET {job['sounds'][0]['audio']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                connection.recv(self._rng.randrange(1, 4096))
            assert self._request("DELETE", f"/jobs/{job['id']}")[0] == 204

    def _request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()

    def _send(self) -> str | None:
        status, content = self._request("POST", "/jobs?query=a%20dog%20barking&query=rain", self._recording)
        if status == 503:
            self.count["full"] += 1
            time.sleep(self._rng.uniform(0.1, 0.5))
            return None
        assert status == 202, content
        return str(json.loads(content)["id"])

    def _separated(self) -> dict[str, Any] | None:
        """Upload a recording and wait until it is done: the status of its job; None where the queue is full."""
        job_id, queued, ahead = self._send(), time.monotonic(), 1 << 30
        while job_id is not None:
            job: dict[str, Any] = json.loads(self._request("GET", f"/jobs/{job_id}")[1])
            assert job["state"] != "failed", job
            self.overtaken += job["ahead"] > ahead
            ahead = job["ahead"]
            if job["state"] == "done":
                self.waits.append(time.monotonic() - queued)
                return job
            time.sleep(0.1)
        return None


def _example() -> bytes:
    from dplass_cli.server.http_app import example_wav

    return example_wav()


def soak_serve(minutes: float, clients: int) -> dict[str, Any]:
    """Serve clients for some minutes: figures, and what went wrong under ``failures``."""
    with tempfile.TemporaryDirectory() as name, serve_process(Path(name)) as (process, address):
        port = int(address.rpartition(":")[2])
        warm_up = Client(0, port, 0.0)
        for _ in range(6):
            warm_up.separate()
        monitor = ProcessMonitor(process.pid)
        ends = time.monotonic() + 60 * minutes
        crowd = [Client(number, port, ends) for number in range(1, clients + 1)]
        for client in crowd:
            client.start()
        while any(client.is_alive() for client in crowd):
            monitor.sample()
            time.sleep(0.5)
        (folder,) = Path(name).glob("dplass-serve-*")
        for _ in range(100):
            if not list(folder.iterdir()):
                break
            time.sleep(0.1)
        leftovers = [path.name for path in folder.iterdir()]
        process.terminate()
        errors = process.communicate(timeout=60)[1]
        leftovers += [path.name for path in Path(name).rglob("*") if path.is_file() or path.name.startswith("dplass-")]
    waits = [seconds for client in crowd for seconds in client.waits]
    served = [len(client.waits) for client in crowd]
    figures = {
        "minutes": minutes,
        "clients": clients,
        "actions": dict(sum((client.count for client in crowd), Counter[str]())),
        **monitor.figures(),
        "served": served,
        "wait_seconds": {"median": round(statistics.median(waits), 2), "max": round(max(waits), 2)} if waits else {},
        "overtaken": sum(client.overtaken for client in crowd),
        "leftovers": leftovers,
    }
    failures = [failure for client in crowd for failure in client.failures]
    failures += [f"files were left behind: {leftovers}"] if leftovers else []
    failures += ["a client was overtaken in the queue"] if figures["overtaken"] else []
    failures += ["a client was never served"] if not all(served) else []
    failures += [f"the server wrote to stderr: {errors[-1500:]}"] if errors else []
    return {**figures, "failures": [*failures, *growth_failures(monitor)]}


def soak_separate(files: int) -> dict[str, Any]:
    """Separate many short files in one run: figures, and what went wrong under ``failures``."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _write_files(place / "in", files)
        command = [sys.executable, "-m", "dplass_cli", "separate", str(place / "in"), "--query", "a dog barking"]
        command += ["--output", str(place / "out"), "--json", "--device", "cpu"]
        start = time.monotonic()
        with open(place / "stdout", "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True)
            monitor = ProcessMonitor(process.pid)
            while process.poll() is None:
                if sum(1 for _ in (place / "out").glob("*")) > files // 20:  # warmed up
                    monitor.sample()
                time.sleep(0.5)
        errors = process.communicate()[1]
        written = [path for path in (place / "out").rglob("*") if path.is_file()]
        figures = {
            "files": files,
            "seconds": round(time.monotonic() - start, 1),
            "written": len(written),
            "exit": process.returncode,
            **monitor.figures(),
        }
    complete = process.returncode == 0 and len(written) == files
    failures = [] if complete else [f"not all files were separated: {errors[-500:]}"]
    return {**figures, "failures": [*failures, *growth_failures(monitor)]}


def growth_failures(monitor: ProcessMonitor) -> list[str]:
    """In what a process grew beyond the limits."""
    figures, handles = monitor.figures(), monitor.handles
    failures = [] if figures["memory_growth"] < MAX_GROWTH else [f"memory grew: {figures['memory_growth']}"]
    peak = max(monitor.memory)
    failures += [] if peak < MAX_PEAK * monitor.memory[0] else [f"memory peaked: {figures['memory_mb']}"]
    failures += [] if handles[-1] <= handles[0] + EXTRA_HANDLES else [f"open files grew: {figures['handles']}"]
    return failures


def _write_files(folder: Path, count: int) -> None:
    """Write short recordings of several formats and rates."""
    from dplass_cli.audio.writing import write_audio
    from dplass_cli.sounds import CATALOGUE, render

    kinds = list(CATALOGUE)
    formats = ((".wav", 16000), (".wav", 44100), (".flac", 32000), (".ogg", 22050))
    for number in range(count):
        suffix, rate = formats[number % len(formats)]
        sound = render(kinds[number % len(kinds)].name, number, 0.5 + 0.5 * (number % 3), rate)
        subtype = "VORBIS" if suffix == ".ogg" else "PCM_16"
        write_audio(folder / f"{number:05d}{suffix}", sound[None], rate, subtype)


def main() -> int:
    """Run a soak test and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="clients that upload, download, cancel and disconnect")
    serve.add_argument("--minutes", type=float, default=30.0)
    serve.add_argument("--clients", type=int, default=8)
    separate = verbs.add_parser("separate", help="many short files in one run")
    separate.add_argument("--files", type=int, default=2000)
    arguments = parser.parse_args()
    serving = arguments.verb == "serve"
    figures = soak_serve(arguments.minutes, arguments.clients) if serving else soak_separate(arguments.files)
    print(json.dumps(figures, indent=2))
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
