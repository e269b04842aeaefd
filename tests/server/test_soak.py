"""Many clients at once that send, cancel and disconnect: memory stays, files go, and the queue keeps its order."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from serving import serving

from dplass_cli.server.app import example_wav

CLIENTS, SECONDS = 8, 60.0
PAGE_BYTES = 4096


class Client(threading.Thread):
    """Sends a recording and waits for it, cancels it, goes away while sending, or sends what is no sound."""

    def __init__(self, number: int, port: int, ends: float) -> None:
        super().__init__()
        self._chance, self._port, self._ends = random.Random(number), port, ends
        self.count: Counter[str] = Counter()
        self.waited: list[float] = []  # seconds from queued to done
        self.overtaken = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while time.monotonic() < self._ends and not self.wrong:
            what = self._chance.choice((self._wait, self._wait, self._cancel, self._cancel, self._leave, self._lie))
            try:
                what()
            except (OSError, http.client.HTTPException, AssertionError, KeyError) as error:
                self.wrong.append(f"{what.__name__}: {error!r}")
            self.count[what.__name__[1:]] += 1

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _send(self) -> str | None:
        status, said = self._ask("POST", "/jobs?query=a%20dog%20barking&query=rain", example_wav())
        if status == 503:
            self.count["full"] += 1
            time.sleep(self._chance.uniform(0.1, 0.5))
            return None
        assert status == 202, said
        return str(json.loads(said)["id"])

    def _wait(self) -> None:
        job = self._send()
        queued, ahead = time.monotonic(), CLIENTS
        while job is not None:
            told = json.loads(self._ask("GET", f"/jobs/{job}")[1])
            assert told["state"] != "failed", told
            self.overtaken += told["ahead"] > ahead
            ahead = told["ahead"]
            if told["state"] == "done":
                self.waited.append(time.monotonic() - queued)
                for sound in told["sounds"]:
                    assert len(self._ask("GET", sound["audio"])[1]) > len(example_wav()) - 1000
                assert self._ask("DELETE", f"/jobs/{job}")[0] == 204
                return
            time.sleep(0.1)

    def _cancel(self) -> None:
        job = self._send()
        time.sleep(self._chance.uniform(0.0, 1.5))
        if job is not None:
            assert self._ask("DELETE", f"/jobs/{job}")[0] == 204
            assert self._ask("GET", f"/jobs/{job}")[0] == 404

    def _leave(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(example_wav())}\r\n\r\n"
            connection.sendall(head.encode() + example_wav()[: self._chance.randrange(1_000_000)])

    def _lie(self) -> None:
        status, said = self._ask("POST", "/jobs?query=rain", b"RIFF this is no sound")
        assert status in (415, 503), said


def resident(process: int) -> float:
    """Memory of a process, MB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


@pytest.mark.slow
def test_eight_clients_for_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as (process, address):
        port = int(address.rpartition(":")[2])
        warm = Client(0, port, 0.0)
        for _ in range(6):
            warm._wait()
        before = resident(process.pid)
        ends = time.monotonic() + SECONDS
        clients = [Client(number, port, ends) for number in range(1, CLIENTS + 1)]
        for client in clients:
            client.start()
        memory = []
        while any(client.is_alive() for client in clients):
            memory.append(resident(process.pid))
            time.sleep(0.25)
        (folder,) = tmp_path.iterdir()
        for _ in range(100):
            if not list(folder.iterdir()):
                break
            time.sleep(0.1)
        left = list(folder.iterdir())
        process.terminate()
        complaints = process.communicate(timeout=30)[1]
    counts = sum((client.count for client in clients), Counter[str]())
    waits = [seconds for client in clients for seconds in client.waited]
    overtaken = sum(client.overtaken for client in clients)
    with capsys.disabled():
        print(
            f"\n{dict(counts)}; memory {before:.0f} MB before, {memory[len(memory) // 2]:.0f} half-way,"
            f" {memory[-1]:.0f} after, {max(memory):.0f} at most; waits {min(waits):.1f} to {max(waits):.1f} s,"
            f" {[len(client.waited) for client in clients]} served; {overtaken} overtaken; {len(left)} files left"
        )
    assert [wrong for client in clients for wrong in client.wrong] == []
    assert left == []
    assert overtaken == 0
    third = len(memory) // 3
    assert sum(memory[-third:]) < 1.05 * sum(memory[:third])
    assert max(memory) < 1.25 * before
    assert all(client.waited for client in clients)
    assert complaints == ""
    assert list(tmp_path.iterdir()) == []
