"""The page in a browser: upload, describe, wait, play, download, cancel, record."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browsing import wait_for
from page_client import encoded, noise

from dplass_cli.server.http_app import example_wav
from dplass_cli.server.job_queue import ReportStep, SeparationJob, Sound

pytestmark = pytest.mark.browser

PLAYERS = "[...document.querySelectorAll('#sounds audio')]"


def run_until_cancelled(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
    while True:
        report("separating", 0.25)


def open_page(listening: Callable[..., Any], chromium: Any, width: int = 1280, **options: Any) -> tuple[Any, Any, Any]:
    client, port = listening(**options)
    page, errors = chromium(f"http://127.0.0.1:{port}", width)
    return page, errors, client


def choose(page: Any, name: str, content: bytes) -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "audio/wav", "buffer": content})
    page.locator("#chosen").wait_for(state="visible")


def separate(page: Any, *queries: str) -> None:
    for number, query in enumerate(queries, 1):
        if number > 1:
            page.get_by_role("button", name="Add another sound").click()
        page.get_by_label(f"Sound {number}, in words").fill(query)
    page.get_by_role("button", name="Separate", exact=True).click()


def wait_for_players(page: Any, count: int) -> None:
    page.locator("#results").wait_for(state="visible", timeout=60_000)
    wait_for(page, f"{PLAYERS}.length === {count} && {PLAYERS}.every(a => a.readyState > 0)")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_recording_is_uploaded_separated_played_and_downloaded(
    listening: Any, chromium: Any, width: int, tmp_path: Path
) -> None:
    page, errors, _ = open_page(listening, chromium, width)
    choose(page, "Köln, dog & rain.wav", example_wav())
    separate(page, "a dog barking", "rain <b>falling</b>")
    wait_for_players(page, 4)
    titles = page.locator("#sounds h3").all_inner_texts()
    assert titles == ["The recording", "a dog barking", "rain <b>falling</b>", "Everything else"]
    assert page.evaluate(f"{PLAYERS}.map(a => a.duration)") == [8.0] * 4
    wait_for(page, "[...document.images].every(i => i.complete && i.naturalHeight === 160)")
    assert page.evaluate("document.documentElement.scrollWidth") == width

    page.locator(".spectrogram").nth(1).click(position={"x": 60, "y": 40})  # plays from that moment
    start = page.evaluate(f"{PLAYERS}[1].currentTime")
    assert start == pytest.approx(60 / page.locator(".spectrogram").nth(1).bounding_box()["width"] * 8, abs=0.6)
    wait_for(page, f"{PLAYERS}[1].currentTime > {start} + 0.3")
    page.evaluate(f"{PLAYERS}[3].play()")  # continues at the other's position
    wait_for(page, f"{PLAYERS}[1].paused && {PLAYERS}[3].currentTime > {start} + 0.3")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download a dog barking as wav").click()
    assert download.value.suggested_filename == "Köln_dog_rain_a_dog_barking.wav"
    download.value.save_as(tmp_path / "target.wav")
    sent, rate = soundfile.read(io.BytesIO(example_wav()))
    target, target_rate = soundfile.read(tmp_path / "target.wav")
    assert (target.shape, target_rate) == (sent.shape, rate)
    assert 0.05 < np.square(target).sum() / np.square(sent).sum() < 0.9
    assert errors == []
    page.close()


def test_mistakes_are_explained_and_can_be_corrected(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium, max_upload_mb=1)
    alert = page.get_by_role("alert")
    separate(page, "rain")
    assert alert.inner_text() == "Choose, drop or record a recording first."
    choose(page, "noise.wav", encoded(noise(), 16000))
    separate(page, " ")
    assert alert.inner_text().startswith("Describe the sound")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Sound 1, in words"
    choose(page, "large.wav", example_wav())
    separate(page, "rain")
    alert.get_by_text("The recording has 1.4 MB; the limit is 1 MB").wait_for()
    assert errors == []
    choose(page, "text.wav", b"no sound")
    separate(page, "rain")
    alert.get_by_text("The recording: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file").wait_for()
    assert [error for error in errors if "415" not in error] == []
    choose(page, "noise.wav", encoded(noise(), 16000))
    page.keyboard.press("Tab")
    page.get_by_label("Sound 1, in words").press("Enter")  # by keyboard only
    wait_for_players(page, 3)
    assert page.evaluate("document.activeElement.id") == "results-title"
    page.close()


def test_cancelling_and_leaving_the_page_end_the_job(listening: Any, chromium: Any) -> None:
    page, errors, client = open_page(listening, chromium, run_job=run_until_cancelled)
    first = client.send(encoded(noise(), 16000), "rain").json()["id"]
    choose(page, "noise.wav", encoded(noise(), 16000))
    separate(page, "rain")
    page.get_by_text("One recording is ahead of yours").first.wait_for()
    client.http.delete(f"/jobs/{first}")
    page.locator("#doing").get_by_text("Separating, 25%").wait_for()
    assert page.get_by_role("status").inner_text() == "Separating, 25%"
    assert page.get_by_role("progressbar").get_attribute("value") == "0.25"
    page.get_by_role("button", name="Cancel").click()
    _wait_until_empty(page, client.folder)
    assert page.locator("#under-way").is_hidden()
    page.get_by_role("button", name="Separate", exact=True).click()
    page.locator("#doing").get_by_text("Separating, 25%").wait_for()
    page.goto("about:blank")
    _wait_until_empty(page, client.folder)
    assert errors == []
    page.close()


def _wait_until_empty(page: Any, folder: Path) -> None:
    for _ in range(200):
        if not list(folder.iterdir()):
            return
        page.wait_for_timeout(25)
    raise AssertionError(list(folder.rglob("*")))


def test_the_microphone_and_the_example_can_be_separated(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium)
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Recording: 0:02").wait_for()
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_text("recording.wav", exact=True).wait_for()
    separate(page, "a beep")
    wait_for_players(page, 3)
    assert page.evaluate(f"{PLAYERS}[0].duration") == pytest.approx(2.0, abs=0.8)
    peak = page.evaluate(
        """async () => {
          const sound = await (await fetch(document.querySelector("#sounds audio").src)).arrayBuffer();
          const decoded = await new AudioContext().decodeAudioData(sound);
          return Math.max(...decoded.getChannelData(0).map(Math.abs));
        }"""
    )
    assert peak > 0.01
    page.get_by_role("button", name="Try an example").click()
    page.get_by_text("dog in the rain.wav", exact=True).wait_for()
    separate(page, "a dog barking")
    wait_for(page, f"{PLAYERS}.length === 3 && {PLAYERS}.every(a => a.duration === 8)")
    assert errors == []
    page.close()


def test_a_dropped_file_that_only_browsers_decode_is_separated(listening: Any, chromium: Any, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "speech.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise(1.0, 48000).T.copy(), format="flt", layout="mono")
        frame.sample_rate = 48000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    page, errors, _ = open_page(listening, chromium)
    page.evaluate(
        """bytes => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], "speech.m4a"));
          const event = new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
          document.getElementById("drop").dispatchEvent(event);
        }""",
        list((tmp_path / "speech.m4a").read_bytes()),
    )
    page.get_by_text("speech.m4a", exact=True).wait_for()
    separate(page, "hiss")
    wait_for_players(page, 3)
    assert page.evaluate(f"{PLAYERS}[0].duration") == pytest.approx(1.0, abs=0.1)
    assert errors == []
    page.close()
