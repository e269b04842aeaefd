"""The HTTP interface: jobs and their results, refusals, and that neither paths nor files of the server remain."""

from __future__ import annotations

import errno
import io
import json
import re
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
from lasaft_checkpoints import write_small
from page_client import PageClient, encoded, noise, wait_until
from quick_job import run_quickly
from small_networks import FOUR_SOURCES, small_lasaft

from dplass_cli import Separator
from dplass_cli.server import http_app as application
from dplass_cli.server import uploads
from dplass_cli.server.http_app import example_wav
from dplass_cli.server.job_queue import JobNotFound, JobQueue, ReportStep, SeparationJob, Sound
from dplass_cli.server.job_runner import SeparationRunner

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
        report("separating", 0.25, 0.2)
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
    for name in ("2.wav", "upload.wav", "..%2f1.wav", "sound_rain.wav", "1.png.wav", "1.exe"):
        assert_error(client.http.get(f"/jobs/{job['id']}/{name}"), 404, "")


def finished_job(client: PageClient, *queries: str, rate: int = 16000, channels: int = 1) -> dict[str, Any]:
    """A job of half a second of noise."""
    sent = encoded(noise(0.5, rate, channels), rate)
    return client.wait_until_finished(client.send(sent, *queries).json()["id"])


def test_a_recording_is_sent_once_for_several_jobs(serve: Serve) -> None:
    client = serve()
    response = client.http.post("/recordings", params={"name": "street, 2.wav"}, content=encoded(noise(), 16000))
    assert response.status_code == 201
    recording = response.json()
    described = {"name": "street, 2.wav", "seconds": 0.5, "sample_rate": 16000, "channels": 1}
    assert recording == {"id": recording["id"], **described}
    assert response.headers["location"] == f"/recordings/{recording['id']}"
    assert client.http.get(f"/recordings/{recording['id']}").json() == recording
    jobs = []
    for asked in ({"query": "rain"}, {"remove": "rain"}):
        created = client.http.post("/jobs", params={"recording": recording["id"], **asked})
        assert created.status_code == 202
        jobs.append(client.wait_until_finished(created.json()["id"]))
    assert [(job["state"], job["name"], job["queries"]) for job in jobs] == [
        ("done", "street, 2.wav", ["rain"]),
        ("done", "street, 2.wav", ["without rain"]),
    ]
    assert [sound["file"] for sound in jobs[1]["sounds"]] == [
        "street_2_recording",
        "street_2_without_rain",
        "street_2_removed_rain",
    ]
    assert client.http.delete(f"/recordings/{recording['id']}").status_code == 204
    for gone in (
        client.http.get(f"/recordings/{recording['id']}"),
        client.http.post("/jobs", params={"recording": recording["id"], "query": "rain"}),
    ):
        assert_error(gone, 404, "no such recording: it has expired; send it again")


def test_a_wrong_file_is_refused_when_it_is_sent(serve: Serve) -> None:
    client = serve(finish_at_once)
    assert_error(client.http.post("/recordings", content=b"this is not audio"), 415, "not a wav, flac")
    assert_error(client.http.post("/recordings", params={"name": "n" * 256}, content=b""), 400, "name: 256 characters")
    assert list(client.folder.iterdir()) == []


def test_what_is_in_a_recording_is_suggested(serve: Serve) -> None:
    client = serve(finish_at_once)
    recording = client.http.post("/recordings", content=example_wav()).json()
    suggestions = client.http.get(f"/recordings/{recording['id']}/suggestions").json()["suggestions"]
    assert suggestions[0]["sound"] == "rain"
    similarities = [suggestion["similarity"] for suggestion in suggestions]
    assert similarities == sorted(similarities, reverse=True)


def test_sounds_of_a_recording_are_found_with_their_times(serve: Serve) -> None:
    client = serve(finish_at_once)
    recording = client.http.post("/recordings", content=example_wav()).json()
    (rain, *_) = client.http.get(f"/recordings/{recording['id']}/sounds").json()["sounds"]
    assert (rain["sound"], rain["calibrated"]) == ("rain", True)
    assert rain["score"] > 0.3
    assert rain["spans"][0]["start"] == 0.0


def test_a_recording_without_sounds_has_an_empty_list_and_a_short_one_is_refused(serve: Serve) -> None:
    client = serve(finish_at_once)
    short = {"error": "the recording: 0.10 s are too short to tag; expected at least 0.25 s"}
    for seconds, status, said in ((1.0, 200, {"sounds": []}), (0.1, 415, short)):
        silence = encoded(np.zeros(round(16000 * seconds), np.float32), 16000)
        recording = client.http.post("/recordings", content=silence).json()
        answer = client.http.get(f"/recordings/{recording['id']}/sounds")
        assert answer.status_code == status
        assert answer.json() == (
            said or {"error": "the recording: 0.10 s are too short to tag; expected at least 0.25 s"}
        )


@pytest.mark.parametrize(
    ("given", "consistent"), [("", False), ("&consistent=true", True), ("&consistent=false", False)]
)
def test_targets_share_the_recording_where_that_is_asked_for(serve: Serve, given: str, consistent: bool) -> None:
    seen: list[bool] = []

    def look(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
        seen.append(job.consistent)
        return finish_at_once(job, report)

    client = serve(look)
    sent = client.http.post(f"/jobs?query=rain{given}", content=example_wav())
    assert client.wait_until_finished(sent.json()["id"])["consistent"] is consistent
    assert seen == [consistent]


def test_another_word_than_true_or_false_is_refused(serve: Serve) -> None:
    answer = serve(finish_at_once).http.post("/jobs?query=rain&consistent=yes", content=example_wav())
    assert answer.status_code == 400
    assert answer.json()["error"] == "consistent 'yes': expected true or false"


def test_removed_sounds_are_separated_too_and_all_sounds_add_up_to_the_recording(serve: Serve) -> None:
    client = serve()
    example, rate = soundfile.read(io.BytesIO(example_wav()), frames=80_000, dtype="float32")
    sent = client.send(encoded(example, rate), "remove the rain", "a dog barking")
    job = client.wait_until_finished(sent.json()["id"])
    sounds = {sound["name"]: sound for sound in job["sounds"]}
    assert [(name, sound["kind"]) for name, sound in sounds.items()] == [
        ("recording", "recording"),
        ("1", "target"),
        ("2", "target"),
        ("removed-1", "removed"),
        ("residual", "residual"),
    ]
    audio = {name: download(client, sound["audio"])[0] for name, sound in sounds.items()}
    np.testing.assert_allclose(audio["2"] + audio["removed-1"] + audio["residual"], audio["recording"], atol=2e-4)
    assert sounds["1"]["removes"] == ["removed-1"]
    assert sounds["1"]["understood"] == "removing: rain"
    assert sounds["removed-1"]["presence"]["score"] > 0.5
    assert sounds["removed-1"]["presence"]["calibrated"]


def test_words_that_the_encoder_does_not_know_are_noted(serve: Serve) -> None:
    job = finished_job(serve(), "saxaphone")
    assert ["did you mean 'saxophone'?" in note for note in job["sounds"][1]["unknown"]] == [True]


@pytest.mark.parametrize(("form", "kind", "limit"), [("flac", "FLAC", 1e-6), ("mp3", "MP3", 0.2)])
def test_sounds_can_be_downloaded_in_other_formats(serve: Serve, form: str, kind: str, limit: float) -> None:
    client = serve(run_quickly)
    job = finished_job(client, "rain")
    assert job["formats"] == ["wav", "flac", "mp3"]
    wav, _ = download(client, job["sounds"][1]["audio"])
    response = client.http.get(job["sounds"][1]["audio"].replace(".wav", f".{form}"))
    assert soundfile.info(io.BytesIO(response.content)).format == kind
    other, rate = soundfile.read(io.BytesIO(response.content), dtype="float32", always_2d=True)
    assert rate == 16000
    assert np.abs(other[: len(wav)] - wav[: len(other)]).max() < limit


def test_formats_that_cannot_represent_a_recording_are_not_offered(serve: Serve) -> None:
    client = serve(run_quickly)
    job = finished_job(client, "rain", channels=3)
    assert job["formats"] == ["wav", "flac"]
    address = f"/jobs/{job['id']}/1.mp3"
    assert_error(client.http.get(address), 400, "format: mp3 cannot represent 3 channels at 16,000 Hz; use wav")


def test_a_job_may_finish_while_its_status_is_written(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(run_quickly)
    finished = finished_job(client, "rain")
    find, seconds_left = JobQueue.find, JobQueue.seconds_left
    found: list[tuple[SeparationJob, tuple[Sound, ...]]] = []

    def running(queue: JobQueue, job_id: str) -> SeparationJob:
        job = find(queue, job_id)
        found.append((job, job.sounds))
        job.sounds = ()
        return job

    def finishing(queue: JobQueue, job: SeparationJob) -> float | None:
        for each, sounds in found:
            each.sounds = sounds
        return seconds_left(queue, job)

    monkeypatch.setattr(JobQueue, "find", running)
    monkeypatch.setattr(JobQueue, "seconds_left", finishing)
    status = client.http.get(f"/jobs/{finished['id']}")
    assert status.status_code == 200
    assert status.json()["sounds"] == []


def test_a_mix_is_the_sum_of_its_sounds_at_their_gains(serve: Serve) -> None:
    client = serve(run_quickly)
    job = finished_job(client, "rain")
    audio = {sound["name"]: download(client, sound["audio"])[0] for sound in job["sounds"]}
    address = f"/jobs/{job['id']}/mix.wav"
    before = client.files
    mix, _ = download(client, f"{address}?gain=1:-6&gain=residual:-12")
    np.testing.assert_allclose(mix, audio["1"] * 10 ** (-6 / 20) + audio["residual"] * 10 ** (-12 / 20), atol=1e-4)
    loud, _ = download(client, f"{address}?gain=recording:12")  # would exceed full scale: turned down as a whole
    np.testing.assert_allclose(
        loud / np.abs(loud).max(), audio["recording"] / np.abs(audio["recording"]).max(), atol=1e-3
    )
    assert np.abs(loud).max() == pytest.approx(0.999, abs=1e-3)
    assert client.files == before


@pytest.mark.parametrize(
    ("gains", "message"),
    [
        ([], "gain: none is given"),
        (["residuel:0"], "gain: no sound 'residuel' in this job; did you mean 'residual'?"),
        (["1:loud"], "gain 1:loud: expected NAME:DB with -60 to 12 dB"),
        (["1:nan"], "gain 1:nan: expected NAME:DB"),
        (["1:13"], "gain 1:13: expected NAME:DB"),
    ],
)
def test_wrong_gains_are_refused(serve: Serve, gains: list[str], message: str) -> None:
    client = serve(run_quickly)
    job = finished_job(client, "rain")
    assert_error(client.http.get(f"/jobs/{job['id']}/mix.wav", params={"gain": gains}), 400, message)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_all_results_are_downloaded_as_one_zip(serve: Serve, form: str) -> None:
    client = serve(run_quickly)
    sent = client.http.post("/jobs", params={"query": "rain", "name": "Köln.wav"}, content=encoded(noise(), 16000))
    job = client.wait_until_finished(sent.json()["id"])
    response = client.http.get(f"/jobs/{job['id']}/all.zip", params={"format": form})
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''K%C3%B6ln.zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"Köln_rain.{form}", f"Köln_residual.{form}"]
        wav, _ = download(client, job["sounds"][1]["audio"])
        zipped, _ = soundfile.read(io.BytesIO(archive.read(f"Köln_rain.{form}")), dtype="float32", always_2d=True)
        np.testing.assert_allclose(zipped, wav, atol=1e-6)


def test_an_unfinished_job_has_no_downloads(serve: Serve) -> None:
    client = serve(run_until_cancelled)
    job = client.send(encoded(noise(), 16000), "rain").json()["id"]
    for name in ("all.zip", "mix.wav?gain=1:0", "1.flac"):
        assert_error(client.http.get(f"/jobs/{job}/{name}"), 404, "no such sound in this job")


@pytest.mark.parametrize(
    ("method", "address", "message"),
    [
        ("POST", "/jobs?querry=rain", "querry: no such parameter; did you mean 'query'?"),
        ("POST", "/jobs?query=rain&zzz=each", "zzz: no such parameter; known: consistent, name, query, recording"),
        ("POST", "/recordings?nam=a", "nam: no such parameter; did you mean 'name'?"),
        ("GET", "/jobs/abc?wait=1", "wait: no such parameter; this request has none"),
        ("GET", "/jobs/abc/all.zip?fromat=mp3", "fromat: no such parameter; did you mean 'format'?"),
        ("DELETE", "/jobs/abc?now=1", "now: no such parameter"),
    ],
)
def test_unknown_parameters_are_refused(serve: Serve, method: str, address: str, message: str) -> None:
    assert_error(serve(finish_at_once).http.request(method, address, content=b""), 400, message)


def test_below_a_root_path_addresses_begin_with_it(serve: Serve) -> None:
    client = serve(root_path="/user/x/proxy/7861")
    for prefix in ("", "/user/x/proxy/7861"):  # the proxy strips the path, or does not
        sent = client.http.post(f"{prefix}/jobs", params={"query": "rain"}, content=encoded(noise(), 16000)).json()
        job = client.wait_until_finished(sent["id"])
        assert job["sounds"][0]["audio"] == f"/user/x/proxy/7861/jobs/{job['id']}/recording.wav"
        assert client.http.get(job["sounds"][0]["audio"]).status_code == 200
    redirect = client.http.get("/user/x/proxy/7861", follow_redirects=False)
    assert redirect.headers["location"] == "/user/x/proxy/7861/"
    assert client.http.get("/user/x/proxy/7862/").status_code == 404


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
    assert json.loads(settings[1]) == {
        "bytes": 1_000_000,
        "seconds": 60.0,
        "keepMinutes": 30.0,
        "queries": 8,
        "gainDb": [-60.0, 12.0],
    }


def test_a_bug_reveals_nothing_about_the_server(serve: Serve) -> None:
    class BrokenChecks:
        kinds: tuple[str, ...] = ()

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
    monkeypatch.setattr(uploads, "open", lambda *_: FullDisk(), raising=False)
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
    monkeypatch.setattr(uploads, "STALLED_SECONDS", 0.2)
    client, port = listening()
    with half_upload(port) as connection:
        response = connection.recv(10_000).decode()
    assert response.startswith("HTTP/1.1 408")
    client.wait_until_empty()


def test_a_model_of_music_in_stereo_serves_its_sources_and_says_what_it_cannot_do(serve: Serve, tmp_path: Path) -> None:
    checkpoint = write_small(tmp_path / "lasaft.ckpt", small_lasaft(config=FOUR_SOURCES))
    separating = SeparationRunner(Separator.from_pretrained(base=str(checkpoint), device="cpu"))
    client = serve(separating, checks=separating)
    sent = client.send(encoded(noise(0.5, 44100, 2), 44100), "vocals", "drums").json()
    status = client.wait_until_finished(sent["id"])
    assert [sound["query"] for sound in status["sounds"] if sound["kind"] == "target"] == ["vocals", "drums"]
    refused = client.send(encoded(noise(0.5, 44100, 2), 44100), "a dog")
    assert "vocals, drums, bass and other" in (refused.text + str(client.wait_until_finished(refused.json()["id"])))
    kept = client.http.post("/recordings", content=encoded(noise(3.0, 44100, 2), 44100)).json()
    asked = client.http.get(f"/recordings/{kept['id']}/sounds")
    assert asked.status_code == 415
    assert "cannot compare sounds" in asked.json()["error"]
