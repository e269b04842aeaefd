"""The interface: what it gives, what it refuses, and that nothing of the server leaks or stays."""

from __future__ import annotations

import io
import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from served import encoded, noise

from dplass_cli.server import connections
from dplass_cli.server import http_app as application
from dplass_cli.server.http_app import example_wav
from dplass_cli.server.job_queue import SeparationJob, Sound, Tell, Unknown

Serve = Callable[..., Any]


def heard(served: Any, address: str) -> tuple[np.ndarray[Any, Any], int]:
    answer = served.client.get(address)
    assert answer.headers["content-type"] == "audio/wav"
    audio, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32", always_2d=True)
    return audio, rate


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def refused(answer: Any, status: int, says: str) -> None:
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def idle(job: SeparationJob, tell: Tell) -> tuple[Sound, ...]:
    """Work that goes on until it is cancelled."""
    while True:
        tell("separating", 0.25)
        time.sleep(0.005)


def test_who_listens_hears_what_is_dropped_after_the_head_to_its_end(tmp_path: Path) -> None:
    path, content = tmp_path / "target.wav", bytes(range(256)) * 1000
    path.write_bytes(content)
    answer, sent, asked = application._file(path, "audio/wav"), [], {"type": "http", "method": "GET", "headers": []}

    async def send(message: Any) -> None:
        path.unlink(missing_ok=True)
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    anyio.run(answer, asked, receive, send)
    assert sent[0]["status"] == 200
    assert b"".join(message["body"] for message in sent[1:]) == content
    with pytest.raises(Unknown):
        application._file(path, "audio/wav")


def test_a_recording_and_two_queries(serve: Serve) -> None:
    served = serve()
    answer = served.send(example_wav(), "a dog barking", " rain falling ", "a dog barking")
    assert answer.status_code == 202
    told = served.ended(answer.json()["id"])
    assert answer.headers["location"] == f"/jobs/{told['id']}"
    assert (told["state"], told["fraction"], told["queries"]) == ("done", 1.0, ["a dog barking", "rain falling"])
    assert (told["seconds"], told["sample_rate"], told["channels"]) == (8.0, 44100, 2)
    assert [sound["kind"] for sound in told["sounds"]] == ["recording", "target", "target", "residual"]
    audio = {sound["name"]: heard(served, sound["audio"])[0] for sound in told["sounds"]}
    sent, _ = soundfile.read(io.BytesIO(example_wav()), dtype="float32")
    np.testing.assert_array_equal(audio["recording"], sent)
    np.testing.assert_allclose(audio["1"] + audio["2"] + audio["residual"], sent, atol=1e-4)
    assert np.square(audio["1"]).mean() < 0.7 * np.square(sent).mean()
    for sound in told["sounds"]:
        picture = served.client.get(sound["spectrogram"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    part = served.client.get(told["sounds"][0]["audio"], headers={"Range": "bytes=44-99"})
    assert (part.status_code, len(part.content)) == (206, 56)
    assert served.client.delete(f"/jobs/{told['id']}").status_code == 204
    assert left(served.folder) == []


@pytest.mark.parametrize(
    ("form", "subtype", "given"),
    [
        ("WAV", "PCM_24", "PCM_24"),
        ("WAV", "DOUBLE", "FLOAT"),
        ("FLAC", "PCM_16", "PCM_16"),
        ("OGG", "VORBIS", "PCM_16"),
        ("MP3", "MPEG_LAYER_III", "PCM_16"),
        ("AIFF", "PCM_U8", "PCM_16"),
    ],
)
def test_every_format_comes_back_as_a_wav_that_browsers_play(serve: Serve, form: str, subtype: str, given: str) -> None:
    served = serve()
    sent = encoded(noise(0.3, 16000), 16000, form, subtype)
    told = served.ended(served.send(sent, "rain").json()["id"])
    assert told["state"] == "done", told["error"]
    for sound in told["sounds"]:
        info = soundfile.info(io.BytesIO(served.client.get(sound["audio"]).content))
        assert (info.format, info.subtype, info.samplerate) == ("WAV", given, 16000)
        assert info.frames / 16000 == told["seconds"]


def test_a_rate_without_a_common_divisor_is_taken(serve: Serve) -> None:
    served = serve()
    told = served.ended(served.send(encoded(noise(0.1, 191999), 191999), "rain").json()["id"])
    assert (told["state"], told["sample_rate"]) == ("done", 191999), told["error"]
    sizes = {heard(served, sound["audio"])[0].shape for sound in told["sounds"]}
    assert sizes == {heard(served, told["sounds"][0]["audio"])[0].shape}


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([], "a query is empty; describe the sound"),
        (["rain", " "], "a query is empty"),
        (["residual"], "is the name of what is left over"),
        ([f"sound {number}" for number in range(9)], "9 queries; at most 8"),
        (["x" * 301], "more than 300 characters"),
        (["a\0dog"], "a null character"),
    ],
)
def test_wrong_queries(serve: Serve, queries: list[str], says: str) -> None:
    served = serve()
    refused(served.send(encoded(noise(), 16000), *queries), 400, says)
    assert list(served.folder.iterdir()) == []


def test_what_is_no_recording(serve: Serve) -> None:
    served = serve(seconds=2.0)
    refused(served.send(b"this is no sound", "rain"), 415, "the recording is no wav, flac, ogg, aiff or mp3")
    refused(served.send(encoded(noise(), 16000, "CAF"), "rain"), 415, "the recording is no wav, flac, ogg, aiff or mp3")
    said = served.send(b"fLaC is how this begins", "rain")
    refused(said, 415, "the recording: not a readable audio file")
    assert str(served.folder) not in said.text
    refused(served.send(b"", "rain"), 415, "the recording: the file is empty")
    refused(served.send(encoded(noise(2.1), 16000), "rain"), 400, "the recording has 2 s; at most 2 s are taken")
    refused(served.send(encoded(noise(0.1, 8000, 9), 8000), "rain"), 400, "9 channels; at most 8")
    silence = encoded(np.zeros((int(1.5 * 96000), 8), np.float32), 96000, "FLAC")
    assert len(silence) < 20_000
    refused(served.send(silence, "rain"), 400, "the recording has 1 million samples in all channels; at most 0 million")
    refused(served.send(encoded(noise(0.01, 1000001), 1000001), "rain"), 415, "a sample rate of 1,000,001 Hz")
    assert list(served.folder.iterdir()) == []
    damaged = encoded(np.full((8000, 1), np.nan, np.float32), 8000, subtype="FLOAT")
    told = served.ended(served.send(damaged, "rain").json()["id"])
    assert told["state"] == "failed"
    assert told["error"].startswith("the recording: contains NaN or infinite samples")
    assert list(served.folder.iterdir()) == []


def test_too_large_is_refused_at_once(serve: Serve) -> None:
    served = serve(upload_bytes=100_000)
    refused(served.send(b"\0" * 100_001, "rain"), 413, "more than 0.1 MB")
    assert list(served.folder.iterdir()) == []


def test_too_large_is_refused_while_it_comes(listening: Serve) -> None:
    served, port = listening(upload_bytes=100_000)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(10):
            connection.sendall(b"2710\r\n" + b"\0" * 10_000 + b"\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):  # that is the limit, and no more
            connection.recv(1)
        connection.sendall(b"1\r\n\0\r\n")
        connection.settimeout(10.0)
        assert connection.recv(10_000).decode().startswith("HTTP/1.1 413")
    _until_empty(served.folder)


def test_unknown_jobs_and_sounds(serve: Serve) -> None:
    served = serve()
    told = served.ended(served.send(encoded(noise(), 16000), "rain").json()["id"])
    for address in ("/jobs/nothing", "/jobs/nothing/1.wav", "/jobs/..%2f..%2fetc/passwd.wav"):
        assert served.client.get(address).status_code == 404
    refused(served.client.get("/jobs/nothing"), 404, "no such job")
    refused(served.client.delete("/jobs/nothing"), 404, "no such job")
    for name in ("2.wav", "upload.wav", "..%2f1.wav", "sound_rain.wav", "1.png.wav"):
        refused(served.client.get(f"/jobs/{told['id']}/{name}"), 404, "")
    refused(served.client.get("/elsewhere"), 404, "Not Found")
    refused(served.client.put("/jobs"), 405, "Method Not Allowed")


def test_cancelling(serve: Serve) -> None:
    served = serve(idle)
    first, second = (served.send(encoded(noise(), 16000), "rain").json()["id"] for _ in range(2))
    assert served.client.get(f"/jobs/{second}").json()["ahead"] == 1
    refused(served.client.get(f"/jobs/{first}/1.wav"), 404, "no such sound")
    for job in (second, first):
        assert served.client.delete(f"/jobs/{job}").status_code == 204
        refused(served.client.get(f"/jobs/{job}"), 404, "no such job")
    for _ in range(200):
        if not left(served.folder):
            break
        time.sleep(0.01)
    assert list(served.folder.iterdir()) == []


def test_a_full_queue(serve: Serve) -> None:
    served = serve(idle, waiting=1)
    running = served.send(encoded(noise(), 16000), "rain").json()["id"]
    while served.client.get(f"/jobs/{running}").json()["state"] == "queued":
        time.sleep(0.005)
    assert served.send(encoded(noise(), 16000), "rain").status_code == 202
    full = served.send(encoded(noise(), 16000), "rain")
    refused(full, 503, "too many recordings are waiting; try again")
    assert int(full.headers["retry-after"]) > 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "evil.example:7860"])
def test_other_names_are_refused(serve: Serve, host: str) -> None:
    refused(serve().client.get("/", headers={"Host": host}), 403, "does not go by that name")


@pytest.mark.parametrize("host", ["localhost:7860", "LOCALHOST", "studio.local:80", "192.168.1.5:7860", "[::1]:7860"])
def test_its_names_and_addresses_are_not(serve: Serve, host: str) -> None:
    assert serve().client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:7860"},
    ],
)
def test_requests_of_other_sites_are_refused(serve: Serve, headers: dict[str, str]) -> None:
    served = serve(idle)
    mine = served.send(encoded(noise(), 16000), "rain", headers={"Origin": "http://127.0.0.1:7860"})
    assert mine.status_code == 202
    refused(served.send(encoded(noise(), 16000), "rain", headers=headers), 403, "other sites")
    refused(served.client.delete(f"/jobs/{mine.json()['id']}", headers=headers), 403, "other sites")
    assert served.client.get(f"/jobs/{mine.json()['id']}").status_code == 200


def test_the_page_keeps_browsers_strict_and_needs_nothing_else(serve: Serve) -> None:
    served = serve()
    pages = [served.client.get("/") for _ in range(2)]
    nonces = [re.findall(r'nonce="([^"]+)"', page.text) for page in pages]
    assert len(nonces[0]) == 3
    assert len(set(nonces[0])) == 1
    assert nonces[0][0] != nonces[1][0]
    policy = pages[0].headers["content-security-policy"]
    assert f"script-src 'nonce-{nonces[0][0]}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r'https?://|(src|href)="(?!data:)', pages[0].text)
    assert " style=" not in pages[0].text
    settings = re.search(r'id="settings"[^>]*>(.*?)</script>', pages[0].text, re.DOTALL)
    assert settings is not None
    assert json.loads(settings[1])["bytes"] == 350_000_000
    for answer in (pages[0], served.client.get("/jobs/nothing"), served.client.get("/", headers={"Host": "evil"})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_bug_tells_nothing_of_the_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    served = serve()
    monkeypatch.setattr(application, "audio_info", lambda path: 1 / 0)
    client = TestClient(served.client.app, "http://127.0.0.1:7860", raise_server_exceptions=False)
    answer = client.post("/jobs?query=rain", content=b"fLaC")
    refused(answer, 500, "the server failed; its log says why")
    assert list(served.folder.iterdir()) == []


def test_a_full_disk_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    class Full(io.BytesIO):
        def write(self, block: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    served = serve()
    monkeypatch.setattr(application, "open", lambda *_: Full(), raising=False)
    refused(served.send(b"sound", "rain"), 507, "the server's disk is full")


def _half_a_post(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000000\r\n\r\n"
    connection.sendall(head.encode() + b"\0" * 100_000)
    return connection


def _until_empty(folder: Path) -> None:
    for _ in range(400):
        if not list(folder.iterdir()):
            return
        time.sleep(0.01)
    raise AssertionError(list(folder.rglob("*")))


def test_who_leaves_while_sending_leaves_nothing(listening: Serve) -> None:
    served, port = listening()
    connection = _half_a_post(port)
    for _ in range(400):
        if left(served.folder):
            break
        time.sleep(0.01)
    assert len(left(served.folder)) == 1
    connection.close()
    _until_empty(served.folder)


def test_who_stalls_is_given_up(listening: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "STALLED_SECONDS", 0.2)
    served, port = listening()
    with _half_a_post(port) as connection:
        said = connection.recv(10_000).decode()
    assert said.startswith("HTTP/1.1 408")
    _until_empty(served.folder)


def test_who_asks_for_nothing_is_let_go(listening: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    _, port = listening()
    whole = f"GET /example.wav HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    for sent in (b"", b"GET / HTTP/1.1\r\nHost:"):
        with socket.create_connection(("127.0.0.1", port), timeout=10.0) as connection:
            connection.sendall(sent)
            assert connection.recv(1) == b""  # closed
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as connection:
        for _ in range(2):
            time.sleep(0.15)
            connection.sendall(whole)
            assert _answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(whole[:20])
        assert connection.recv(1) == b""


def _answer(connection: socket.socket) -> bytes:
    """A whole answer with a length."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    while len(body) < int(length[1]):
        body += connection.recv(65536)
    return head
