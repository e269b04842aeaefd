"""The HTTP interface: jobs and their results, refusals, and that neither paths nor files of the server remain."""

from __future__ import annotations

import errno
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
from page_client import PageClient, encoded, noise, wait_until

from dplass_cli.server import http_app as application
from dplass_cli.server.http_app import example_wav
from dplass_cli.server.job_queue import JobNotFound, ReportStep, SeparationJob, Sound

Serve = Callable[..., PageClient]
Listening = Callable[..., tuple[PageClient, int]]


def download(client: PageClient, url: str) -> tuple[np.ndarray[Any, Any], int]:
    """A sound of a job: (samples (T, C), rate)."""
    response = client.http.get(url)
    assert response.headers["content-type"] == "audio/wav"
    audio, rate = soundfile.read(io.BytesIO(response.content), dtype="float32", always_2d=True)
    return audio, rate


def assert_error(response: Any, status: int, message: str) -> None:
    assert response.status_code == status
    assert message in response.json()["error"]
    assert "\n" not in response.json()["error"]


def run_until_cancelled(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
    """A job that goes on until it is cancelled."""
    while True:
        report("separating", 0.25)
        time.sleep(0.005)


def finish_at_once(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
    """A job without results."""
    return ()


def test_a_job_yields_the_recording_its_targets_and_the_residual(serve: Serve) -> None:
    client = serve()
    response = client.send(example_wav(), "a dog barking", " rain falling ", "a dog barking")
    assert response.status_code == 202
    job = client.wait_until_finished(response.json()["id"])
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert (job["state"], job["fraction"], job["queries"]) == ("done", 1.0, ["a dog barking", "rain falling"])
    assert (job["seconds"], job["sample_rate"], job["channels"]) == (8.0, 44100, 2)
    assert [sound["kind"] for sound in job["sounds"]] == ["recording", "target", "target", "residual"]
    audio = {sound["name"]: download(client, sound["audio"])[0] for sound in job["sounds"]}
    sent, _ = soundfile.read(io.BytesIO(example_wav()), dtype="float32")
    np.testing.assert_array_equal(audio["recording"], sent)
    np.testing.assert_allclose(audio["1"] + audio["2"] + audio["residual"], sent, atol=1e-4)
    assert np.square(audio["1"]).mean() < 0.7 * np.square(sent).mean()
    for sound in job["sounds"]:
        picture = client.http.get(sound["spectrogram"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")
    part = client.http.get(job["sounds"][0]["audio"], headers={"Range": "bytes=44-99"})
    assert (part.status_code, len(part.content)) == (206, 56)
    assert client.http.delete(f"/jobs/{job['id']}").status_code == 204
    assert client.files == []


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_every_common_format_is_separated(serve: Serve, form: str) -> None:
    client = serve()
    sent = encoded(noise(0.3, 16000), 16000, form)
    job = client.wait_until_finished(client.send(sent, "rain").json()["id"])
    assert job["state"] == "done", job["error"]
    for sound in job["sounds"]:
        info = soundfile.info(io.BytesIO(client.http.get(sound["audio"]).content))
        assert (info.format, info.samplerate, info.frames / 16000) == ("WAV", 16000, job["seconds"])


def test_a_rate_without_a_common_divisor_is_accepted(serve: Serve) -> None:
    client = serve()
    job = client.wait_until_finished(client.send(encoded(noise(0.1, 191999), 191999), "rain").json()["id"])
    assert (job["state"], job["sample_rate"]) == ("done", 191999), job["error"]
    sizes = {download(client, sound["audio"])[0].shape for sound in job["sounds"]}
    assert sizes == {download(client, job["sounds"][0]["audio"])[0].shape}


@pytest.mark.parametrize("queries", [[], ["rain", " "], ["residual"], ["a\0dog"]])
def test_wrong_queries_are_refused_before_the_upload(serve: Serve, queries: list[str]) -> None:
    client = serve(finish_at_once)
    assert_error(client.send(encoded(noise(), 16000), *queries), 400, "query: ")
    assert list(client.folder.iterdir()) == []


SILENCE = encoded(np.zeros((int(1.5 * 96000), 8), np.float32), 96000, "FLAC")  # small, but large when decoded


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"this is not audio", 415, "the recording: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file"),
        (encoded(noise(), 16000, "CAF"), 415, "the recording: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file"),
        (b"fLaC is how this begins", 415, "the recording: not a readable audio file"),
        (b"", 415, "the recording: the file is empty"),
        (encoded(noise(2.1), 16000), 400, "the recording: 2.1 s long, at most 2 s"),
        (encoded(noise(0.1, 8000, 9), 8000), 400, "9 channels, at most 8"),
        (SILENCE, 400, "1.2 million samples in all channels, at most 0.2 million"),
        (encoded(noise(0.01, 1000001), 1000001), 415, "a sample rate of 1,000,001 Hz"),
    ],
    ids=["text", "caf", "damaged", "empty", "long", "channels", "samples", "rate"],
)
def test_unusable_recordings_are_refused_without_paths(serve: Serve, body: bytes, status: int, message: str) -> None:
    client = serve(finish_at_once, max_seconds=2.0)
    response = client.send(body, "rain")
    assert_error(response, status, message)
    assert str(client.folder) not in response.text
    assert list(client.folder.iterdir()) == []


def test_a_recording_that_proves_damaged_fails_its_job(serve: Serve) -> None:
    client = serve()
    damaged = encoded(np.full((8000, 1), np.nan, np.float32), 8000, subtype="FLOAT")
    job = client.wait_until_finished(client.send(damaged, "rain").json()["id"])
    assert job["state"] == "failed"
    assert job["error"].startswith("the recording: ")
    assert "NaN" in job["error"]
    assert list(client.folder.iterdir()) == []


def test_a_declared_size_above_the_limit_is_refused_at_once(serve: Serve) -> None:
    client = serve(finish_at_once, max_upload_mb=0.1)
    assert_error(client.send(b"\0" * 100_001, "rain"), 413, "more than 0.1 MB")
    assert list(client.folder.iterdir()) == []


@pytest.mark.parametrize(("length", "status"), [("many", 400), ("-1", 400), ("²", 400), ("9" * 400, 413)])
def test_wrong_lengths_are_refused(serve: Serve, length: str, status: int) -> None:
    client = serve(finish_at_once)
    response = client.send(b"fLaC", "rain", headers={"Content-Length": length.encode("utf-8")})
    assert response.status_code == status
    assert list(client.folder.iterdir()) == []


def test_an_upload_of_undeclared_size_is_refused_at_the_limit(listening: Listening) -> None:
    client, port = listening(max_upload_mb=0.1)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(10):
            connection.sendall(b"2710\r\n" + b"\0" * 10_000 + b"\r\n")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):  # exactly the limit: still accepted
            connection.recv(1)
        connection.sendall(b"1\r\n\0\r\n")
        connection.settimeout(10.0)
        assert connection.recv(10_000).decode().startswith("HTTP/1.1 413")
    client.wait_until_empty()


def test_unknown_jobs_are_not_found(serve: Serve) -> None:
    client = serve(finish_at_once)
    for url in ("/jobs/nothing", "/jobs/nothing/1.wav", "/jobs/..%2f..%2fetc/passwd.wav"):
        assert client.http.get(url).status_code == 404
    assert_error(client.http.get("/jobs/nothing"), 404, "no such job")
    assert_error(client.http.delete("/jobs/nothing"), 404, "no such job")


def test_names_in_urls_never_become_paths(serve: Serve) -> None:
    client = serve()
    job = client.wait_until_finished(client.send(encoded(noise(), 16000), "rain").json()["id"])
    for name in ("2.wav", "upload.wav", "..%2f1.wav", "sound_rain.wav", "1.png.wav"):
        assert_error(client.http.get(f"/jobs/{job['id']}/{name}"), 404, "")


def test_other_urls_and_methods_are_refused(serve: Serve) -> None:
    client = serve(finish_at_once)
    assert_error(client.http.get("/elsewhere"), 404, "Not Found")
    assert_error(client.http.put("/jobs"), 405, "Method Not Allowed")


def test_a_cancelled_job_is_gone_with_its_files(serve: Serve) -> None:
    client = serve(run_until_cancelled)
    first, second = (client.send(encoded(noise(), 16000), "rain").json()["id"] for _ in range(2))
    assert client.http.get(f"/jobs/{second}").json()["ahead"] == 1
    assert_error(client.http.get(f"/jobs/{first}/1.wav"), 404, "no such sound")
    for job in (second, first):
        assert client.http.delete(f"/jobs/{job}").status_code == 204
        assert_error(client.http.get(f"/jobs/{job}"), 404, "no such job")
    client.wait_until_empty()


def test_a_full_queue_asks_to_try_again_later(serve: Serve) -> None:
    client = serve(run_until_cancelled, waiting=1)
    running = client.send(encoded(noise(), 16000), "rain").json()["id"]
    wait_until(lambda: client.http.get(f"/jobs/{running}").json()["state"] == "running")
    assert client.send(encoded(noise(), 16000), "rain").status_code == 202
    response = client.send(encoded(noise(), 16000), "rain")
    assert_error(response, 503, "too many recordings are waiting; try again")
    assert int(response.headers["retry-after"]) > 0


def test_the_interface_is_guarded(serve: Serve) -> None:
    client = serve(finish_at_once)
    assert client.http.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.http.get("/", headers={"Host": "studio.local:80"}).status_code == 200
    headers = {"Origin": "http://evil.example"}
    assert client.send(encoded(noise(), 16000), "rain", headers=headers).status_code == 403


def test_the_page_has_a_strict_content_policy_and_loads_nothing_else(serve: Serve) -> None:
    client = serve(finish_at_once)
    pages = [client.http.get("/") for _ in range(2)]
    nonces = [re.findall(r'nonce="([^"]+)"', page.text) for page in pages]
    assert len(nonces[0]) == 3
    assert len(set(nonces[0])) == 1
    assert nonces[0][0] != nonces[1][0]
    policy = pages[0].headers["content-security-policy"]
    assert f"script-src 'nonce-{nonces[0][0]}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r'https?://|(src|href)="(?!data:)', pages[0].text)
    assert " style=" not in pages[0].text


def test_the_page_knows_the_limits(serve: Serve) -> None:
    page = serve(finish_at_once, max_upload_mb=1, max_seconds=60.0).http.get("/").text
    settings = re.search(r'id="settings"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert settings is not None
    assert json.loads(settings[1]) == {"bytes": 1_000_000, "seconds": 60.0, "keepMinutes": 30.0, "queries": 8}


def test_a_bug_reveals_nothing_about_the_server(serve: Serve) -> None:
    class BrokenChecks:
        def check(self, info: Any, max_seconds: float) -> None:
            raise ZeroDivisionError("/srv/secret")

    client = serve(finish_at_once, checks=BrokenChecks())
    response = client.send(encoded(noise(), 16000), "rain")
    assert_error(response, 500, "the server failed; its log says why")
    assert list(client.folder.iterdir()) == []


def test_a_full_disk_is_reported(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk(io.BytesIO):
        def write(self, block: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    client = serve(finish_at_once)
    monkeypatch.setattr(application, "open", lambda *_: FullDisk(), raising=False)
    assert_error(client.send(b"sound", "rain"), 507, "the server's disk is full")


def test_a_download_completes_although_its_job_is_dropped_meanwhile(tmp_path: Path) -> None:
    path, content = tmp_path / "target.wav", bytes(range(256)) * 1000
    path.write_bytes(content)
    response, sent = application._file(path, "audio/wav"), []

    async def send(message: Any) -> None:
        path.unlink(missing_ok=True)
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    anyio.run(response, {"type": "http", "method": "GET", "headers": []}, receive, send)
    assert sent[0]["status"] == 200
    assert b"".join(message["body"] for message in sent[1:]) == content
    with pytest.raises(JobNotFound):
        application._file(path, "audio/wav")


def half_upload(port: int) -> socket.socket:
    """A connection that has sent a tenth of a recording."""
    connection = socket.create_connection(("127.0.0.1", port))
    head = f"POST /jobs?query=rain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 1000000\r\n\r\n"
    connection.sendall(head.encode() + b"\0" * 100_000)
    return connection


def test_a_client_that_disconnects_during_an_upload_leaves_no_files(listening: Listening) -> None:
    client, port = listening()
    connection = half_upload(port)
    wait_until(lambda: len(client.files) == 1)
    connection.close()
    client.wait_until_empty()


def test_an_upload_that_stalls_is_given_up(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "STALLED_SECONDS", 0.2)
    client, port = listening()
    with half_upload(port) as connection:
        response = connection.recv(10_000).decode()
    assert response.startswith("HTTP/1.1 408")
    client.wait_until_empty()
