"""The page in a browser: choose, describe, wait, play, mix, download, reload, by mouse and by keyboard."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from browsing import wait_for
from page_client import encoded, noise
from quick_job import run_quickly
from starlette.types import ASGIApp, Receive, Scope, Send

from dplass_cli.server.http_app import example_wav
from dplass_cli.server.job_queue import ReportStep, SeparationJob, Sound

pytestmark = pytest.mark.browser

PLAYING = "shown.player.playing"
POSITION = "shown.player.position"


def run_until_cancelled(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
    while True:
        report("separating", 0.25, 0.5)


def open_page(listening: Callable[..., Any], chromium: Any, width: int = 1280, **options: Any) -> tuple[Any, Any, Any]:
    client, port = listening(**options)
    page, errors = chromium(f"http://127.0.0.1:{port}", width)
    return page, errors, client


def choose(page: Any, name: str, content: bytes) -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "audio/wav", "buffer": content})


def separate(page: Any, *queries: str) -> None:
    for number, query in enumerate(queries, 1):
        if number > page.locator("#queries li").count():
            page.get_by_role("button", name="Add another sound").click()
        page.get_by_label(f"Sound {number}, in words").fill(query)
    page.get_by_role("button", name="Separate", exact=True).click()


def wait_for_results(page: Any, tracks: int) -> None:
    page.locator("#results").wait_for(state="visible", timeout=90_000)
    wait_for(page, f"document.querySelectorAll('#tracks article').length === {tracks}")
    wait_for(page, "[...document.querySelectorAll('#tracks img')].every(i => i.complete && i.naturalHeight === 160)")


def pressed(page: Any, name: str) -> bool:
    return page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_recording_is_separated_played_and_downloaded(
    listening: Any, chromium: Any, width: int, tmp_path: Path
) -> None:
    page, errors, _ = open_page(listening, chromium, width)
    choose(page, "Köln, dog & rain.wav", example_wav())
    page.get_by_role("button", name="Add Rain").click()  # a suggestion
    assert page.get_by_label("Sound 1, in words").input_value() == "rain"
    page.get_by_label("Keep or remove sound 1").select_option("remove")
    separate(page, "rain", "a dog <b>barking</b>")
    wait_for_results(page, 5)
    titles = page.locator("#tracks h3").all_inner_texts()
    assert titles == [
        "The recording",
        "The recording without Rain",
        "a dog <b>barking</b>",
        "Removed: Rain",
        "Everything else",
    ]
    assert page.get_by_text("Presence of Rain:").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == width
    with page.expect_download() as download:
        page.get_by_role("link", name="Download a dog <b>barking</b>").click()
    assert download.value.suggested_filename == "Köln_dog_rain_a_dog_b_barking_b.wav"
    download.value.save_as(tmp_path / "target.wav")
    sent, rate = soundfile.read(io.BytesIO(example_wav()))
    target, target_rate = soundfile.read(tmp_path / "target.wav")
    assert (target.shape, target_rate) == (sent.shape, rate)
    assert 0.02 < np.square(target).sum() / np.square(sent).sum() < 0.9
    assert errors == []
    page.close()


def test_what_is_in_it_fills_the_list_and_separates_consistently(listening: Any, chromium: Any) -> None:
    seen: list[tuple[list[str], bool]] = []

    def look(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
        seen.append(([query.text for query in job.queries], job.consistent))
        return run_quickly(job, report)

    page, errors, _ = open_page(listening, chromium, run_job=look)
    page.get_by_role("button", name="What is in it?").click()
    assert page.get_by_text("Choose, drop or record a recording first.").is_visible()
    choose(page, "dog.wav", example_wav())
    page.get_by_role("button", name="What is in it?").click()
    page.get_by_text("Found: Rain (").wait_for(timeout=60_000)
    assert page.get_by_label("Sound 1, in words").input_value() == "rain"
    assert page.get_by_label("Give each sound to one track only").is_checked()
    page.get_by_role("button", name="Separate", exact=True).click()
    page.locator("#results").wait_for(state="visible", timeout=90_000)
    ((queries, consistent),) = seen
    assert queries[0] == "rain"
    assert consistent
    assert errors == []
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_one_transport_plays_all_tracks(listening: Any, chromium: Any, width: int) -> None:
    page, errors, _ = open_page(listening, chromium, width, run_job=run_quickly)
    choose(page, "dog.wav", example_wav())
    separate(page, "a dog")
    wait_for_results(page, 3)
    page.evaluate(
        """() => {
          window.starts = [];
          const start = Player.prototype.start;
          Player.prototype.start = function (buffer, track, when) {
            starts.push([this.tracks.indexOf(track), when - this.base, buffer.duration]);
            start.call(this, buffer, track, when);
          };
        }"""
    )
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, f"{POSITION} > 0.3 && starts.length === 6")
    parts = page.evaluate("starts")  # of all tracks on one clock, each where the one before it ends
    assert parts == [[track, pytest.approx(start, abs=1e-9), 4] for start in (0, 4) for track in range(3)]
    page.get_by_role("button", name="Pause", exact=True).click()
    stopped = page.evaluate(POSITION)
    assert not page.evaluate(PLAYING)
    heads = page.evaluate("[...document.querySelectorAll('.head')].map(head => parseFloat(head.style.left))")
    assert heads == pytest.approx([100 * stopped / 8] * 3, abs=0.5)
    picture = page.locator(".spectrogram").nth(2)
    picture.click(position={"x": 60, "y": 40})  # plays from that moment
    assert pressed(page, "Solo Everything else")  # solo follows
    start = 60 / picture.bounding_box()["width"] * 8
    wait_for(page, f"{POSITION} > {start}")
    page.get_by_label("Position", exact=True).fill("7.5")
    wait_for(page, f"!{PLAYING} && {POSITION} === 0")  # it ends
    assert page.get_by_role("button", name="Play", exact=True).is_visible()
    assert errors == []
    page.close()


def test_solo_mute_and_gain_make_the_mix(listening: Any, chromium: Any, tmp_path: Path) -> None:
    page, errors, _ = open_page(listening, chromium, run_job=run_quickly)
    choose(page, "dog.wav", example_wav())
    page.get_by_label("Keep or remove sound 1").select_option("query")
    page.get_by_role("button", name="Add another sound").click()
    page.get_by_label("Keep or remove sound 2").select_option("remove")
    separate(page, "a dog", "wind")
    wait_for_results(page, 5)
    levels = "shown.player.tracks.map(track => Number(track.level.toFixed(3)))"
    assert page.evaluate(levels) == [0, 1, 0, 0, 0]  # the first target alone
    page.get_by_role("button", name="Solo a dog", exact=True).click()
    assert page.evaluate(levels) == [0, 1, 0, 0, 1]  # the recording without what is removed
    page.get_by_label("Gain of Everything else").fill("-6")
    page.get_by_role("button", name="Mute Removed: wind", exact=True).click()
    assert page.evaluate(levels) == [0, 1, 0, 1, 0.501]
    page.get_by_role("button", name="Mute a dog", exact=True).click()
    page.get_by_label("Format").select_option("flac")
    mix = page.locator("#mix")
    assert mix.get_attribute("href").endswith("/mix.flac?gain=removed-1%3A0&gain=residual%3A-6")
    with page.expect_download() as download:
        mix.click()
    assert download.value.suggested_filename == "dog_mix.flac"
    download.value.save_as(tmp_path / "mix.flac")
    sent, _ = soundfile.read(io.BytesIO(example_wav()))
    mixed, _ = soundfile.read(tmp_path / "mix.flac")
    expected = sent * (1 + 10 ** (-6 / 20))
    np.testing.assert_allclose(mixed / np.abs(mixed).max(), expected / np.abs(expected).max(), atol=1e-3)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all as zip").click()
    assert download.value.suggested_filename == "dog.zip"
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = archive.namelist()
    assert names == ["dog_a_dog.flac", "dog_without_wind.flac", "dog_removed_wind.flac", "dog_residual.flac"]
    for name in ("Mute Removed: wind", "Mute Everything else"):
        page.get_by_role("button", name=name, exact=True).click()
    assert mix.get_attribute("href") is None  # nothing is heard
    assert errors == []
    page.close()


@pytest.mark.parametrize(
    ("subtype", "rate", "channels"), [("PCM_16", 44100, 2), ("PCM_24", 8000, 1), ("FLOAT", 96000, 2)]
)
def test_the_player_reads_what_is_in_the_wav(
    listening: Any, chromium: Any, subtype: str, rate: int, channels: int
) -> None:
    page, errors, _ = open_page(listening, chromium, run_job=run_quickly)
    sent = noise(1.0, rate, channels)
    choose(page, "noise.wav", encoded(sent, rate, subtype=subtype))
    separate(page, "hiss")
    wait_for_results(page, 3)
    read = page.evaluate(
        """async () => {
          const [{address}] = shown.player.tracks;
          const track = {address, layout: await wavLayout(address)};
          const part = await wavPart(track, 100, 50, new OfflineAudioContext(1, 1, 48000));
          const channels = Array.from({length: part.numberOfChannels}, (_, at) => [...part.getChannelData(at)]);
          return [part.sampleRate, ...channels];
        }"""
    )
    assert read[0] == rate
    np.testing.assert_allclose(np.array(read[1:]).T, sent[100:150], atol=2 ** (-15 if subtype == "PCM_16" else -22))
    assert errors == []
    page.close()


def test_every_card_shows_presence_and_unknown_words(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium, run_job=run_quickly)
    choose(page, "noise.wav", encoded(noise(), 16000))
    page.get_by_label("Keep or remove sound 1").select_option("remove")
    separate(page, "wind", "rane")
    wait_for_results(page, 5)
    cards = page.locator("#tracks article").all_inner_texts()
    assert "Presence of wind: 93%, in the recording." in cards[1]
    assert "The encoder does not know what 'rane' is; did you mean 'rain'?" in cards[2]
    assert "Presence: 93%, in the recording." in cards[2]
    assert "Presence: 93%, in the recording." in cards[3]
    assert errors == []
    page.close()


def test_a_wrong_file_is_reported_when_it_is_chosen(listening: Any, chromium: Any) -> None:
    page, errors, client = open_page(listening, chromium, run_job=run_quickly, max_upload_mb=1)
    alert = page.locator("#wrong-file")
    choose(page, "large.wav", example_wav())
    assert alert.inner_text() == "large.wav has 1.4 MB; the limit is 1 MB and 30 minutes."
    choose(page, "empty.wav", b"")
    assert alert.inner_text() == "empty.wav is empty."
    choose(page, "notes.wav", b"no sound")
    alert.get_by_text("notes.wav: not a wav, flac, ogg, aiff, mp3, m4a, mp4 or webm file; convert it.").wait_for()
    assert page.locator("#chosen").is_hidden()
    assert list(client.folder.iterdir()) == []
    choose(page, "noise.wav", encoded(noise(), 16000))
    page.get_by_text("0:01").first.wait_for()
    assert alert.is_hidden()
    assert [error for error in errors if "415" not in error] == []
    page.close()


def test_mistakes_are_explained_and_can_be_corrected(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium, run_job=run_quickly)
    alert = page.locator("#wrong")
    separate(page, "rain")
    assert alert.inner_text() == "Choose, drop or record a recording first."
    choose(page, "noise.wav", encoded(noise(), 16000))
    separate(page, " ")
    assert alert.inner_text().startswith("Describe a sound")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Sound 1, in words"
    separate(page, "rain")
    wait_for_results(page, 3)
    assert alert.is_hidden()
    assert errors == []
    page.close()


def test_everything_can_be_done_by_keyboard_alone(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium, run_job=run_quickly)
    keys = page.keyboard

    def focused() -> str:
        named = "e => e.getAttribute('aria-label') || e.textContent || e.id"
        name: str = page.evaluate(f"({named})(document.activeElement)")
        return name

    def tab_to(name: str, limit: int = 40) -> None:
        for _ in range(limit):
            if focused() == name:
                return
            keys.press("Tab")
        raise AssertionError(f"{name} is not reached; the focus is on {focused()}")

    keys.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    outline = "getComputedStyle(document.querySelector('label.button')).outlineStyle"
    assert page.evaluate(outline) == "solid"  # the focus is seen
    tab_to("Try an example")
    keys.press("Enter")
    page.locator("#suggested").wait_for(state="visible")
    tab_to("Keep or remove sound 1")
    keys.press("r")
    assert page.get_by_label("Keep or remove sound 1").input_value() == "remove"
    tab_to("Sound 1, in words")
    keys.press("Control+A")
    keys.type("wind")
    keys.press("Enter")
    wait_for_results(page, 4)
    assert page.evaluate("document.activeElement.id") == "results-title"
    tab_to("Play")
    keys.press("Space")
    wait_for(page, f"{POSITION} > 0.1")
    tab_to("Spectrogram of The recording without wind: position")
    keys.press("Space")
    assert not page.evaluate(PLAYING)
    for key, position in [("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("PageUp", 8), ("Home", 0)]:
        keys.press(key)
        assert page.evaluate(POSITION) == position
    keys.press("ArrowRight")
    slider = page.get_by_role("slider", name="Spectrogram of The recording without wind: position")
    assert slider.get_attribute("aria-valuetext") == "0:01 of 0:08"
    assert slider.get_attribute("aria-valuenow") == "1.0"
    tab_to("Mute Everything else")
    keys.press("Space")
    assert not pressed(page, "Mute Everything else")
    tab_to("Gain of Everything else")
    keys.press("ArrowLeft")
    assert page.get_by_label("Gain of Everything else").get_attribute("aria-valuetext") == "-0.5 dB"
    tab_to("Download what you hear")
    tab_to("Download all as zip")
    assert errors == []
    page.close()


def test_results_and_history_survive_a_reload(listening: Any, chromium: Any) -> None:
    page, errors, client = open_page(listening, chromium, run_job=run_quickly)
    choose(page, "first.wav", encoded(noise(), 16000))
    separate(page, "rain")
    wait_for_results(page, 3)
    choose(page, "second.wav", encoded(noise(), 16000))
    page.get_by_label("Keep or remove sound 1").select_option("remove")
    separate(page, "wind")
    wait_for(page, "document.querySelectorAll('#earlier li').length === 2")
    page.reload()
    wait_for_results(page, 4)
    assert page.locator("#results-title").inner_text() == "Listen: second.wav"
    assert page.get_by_label("Sound 1, in words").input_value() == "wind"
    assert page.get_by_label("Keep or remove sound 1").input_value() == "remove"
    page.get_by_text("second.wav", exact=True).wait_for()
    page.get_by_role("button", name="Separate", exact=True).click()  # the recording is still on the server
    wait_for(page, "document.querySelectorAll('#earlier li').length === 3")
    page.get_by_role("button", name="first.wav: rain", exact=True).click()
    wait_for(page, "document.getElementById('results-title').textContent === 'Listen: first.wav'")
    page.get_by_role("button", name="Delete the results of first.wav: rain").click()
    wait_for(page, "document.querySelectorAll('#earlier li').length === 2")
    assert page.locator("#results").is_hidden()
    assert len([path for path in client.folder.iterdir() if (path / "1.wav").exists()]) == 2
    assert errors == []
    page.close()


def test_a_running_job_survives_a_reload_and_can_be_cancelled(listening: Any, chromium: Any) -> None:
    page, errors, client = open_page(listening, chromium, run_job=run_until_cancelled)
    first = client.send(encoded(noise(), 16000), "rain").json()["id"]
    choose(page, "noise.wav", encoded(noise(), 16000))
    separate(page, "rain")
    page.get_by_text("One recording is ahead of yours").first.wait_for()
    client.http.delete(f"/jobs/{first}")
    page.locator("#doing").get_by_text("Separating, about 0:01 left").wait_for()
    assert page.get_by_role("progressbar").get_attribute("value") == "0.5"
    page.reload()
    page.locator("#doing").get_by_text("Separating, about").wait_for()
    page.get_by_role("button", name="Cancel").click()
    for _ in range(200):
        if len(list(client.folder.iterdir())) == 1:  # the recording, which can be separated again
            break
        page.wait_for_timeout(25)
    assert not list(client.folder.rglob("*.wav"))
    assert page.locator("#under-way").is_hidden()
    assert [error for error in errors if "not loaded" not in error] == []  # a reload ends the request under way
    page.close()


def test_an_expired_recording_is_sent_again(listening: Any, chromium: Any) -> None:
    page, errors, client = open_page(listening, chromium, run_job=run_quickly)
    choose(page, "noise.wav", encoded(noise(), 16000))
    page.get_by_text("0:01").first.wait_for()
    page.wait_for_timeout(300)
    client.http.delete(f"/recordings/{page.evaluate('recording.id')}")
    separate(page, "rain")
    wait_for_results(page, 3)
    assert [error for error in errors if "404" not in error] == []
    page.close()


def proxied(app: ASGIApp, prefix: str) -> ASGIApp:
    """The application behind a proxy that strips a path and asks for it by its address, as nginx does by default."""

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(prefix), scope["path"]
            headers = [(name, b"127.0.0.1:7860" if name == b"host" else value) for name, value in scope["headers"]]
            scope = {**scope, "path": scope["path"].removeprefix(prefix.rstrip("/")), "headers": headers}
        await app(scope, receive, send)

    return forward


def test_the_page_works_below_a_path_of_a_proxy(serve: Any, listen: Any, chromium: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = serve(run_job=run_quickly, allow_host=(f"localhost:{port}",))
    listen(proxied(client.http.app, "/user/x/proxy/7861/"), port)
    page, errors = chromium(f"http://localhost:{port}/user/x/proxy/7861/", 1280)
    page.get_by_role("button", name="Try an example").click()
    page.locator("#suggested").wait_for(state="visible")
    separate(page, "a dog")
    wait_for_results(page, 3)
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, f"{POSITION} > 0.1")
    with page.expect_download() as download:
        page.locator("#mix").click()
    assert Path(download.value.path()).stat().st_size > 1e6
    assert errors == []
    page.close()


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const luminance = colour => { // as WCAG 2 defines it
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(part => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== "transparent" && !colour.endsWith(", 0)")) return colour;
    }
    return "white";
  };
  const measured = (elements, measure) => elements.map(element => [element.outerHTML.slice(0, 60), measure(element)]);
  const all = [...document.querySelectorAll("main *")];
  const seen = all.filter(element => element.checkVisibility() && !element.disabled);
  const bordered = "button:not(.plain), select, article, .button, .drop, input[type=text]";
  const written = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    && !element.closest(".spectrogram, datalist, option");
  return {
    borders: measured(seen.filter(element => element.matches(bordered)),
      element => contrast(getComputedStyle(element).borderTopColor, behind(element.parentElement))),
    texts: measured(seen.filter(written), element => contrast(getComputedStyle(element).color, behind(element))),
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_borders_and_texts_have_contrast(listening: Any, chromium: Any, scheme: str, width: int) -> None:
    page, errors, _ = open_page(listening, chromium, width, run_job=run_quickly)
    page.emulate_media(color_scheme=scheme)
    choose(page, "noise.wav", encoded(noise(), 16000))
    page.locator("#suggested").wait_for(state="visible")
    separate(page, "rain", "rane")
    wait_for_results(page, 4)
    choose(page, "notes.wav", b"no sound")
    page.locator("#wrong-file").wait_for(state="visible")
    found = page.evaluate(CONTRASTS)
    assert len(found["borders"]) > 20
    assert [entry for entry in found["borders"] if entry[1] < 3.0] == []
    assert len(found["texts"]) > 20
    assert [entry for entry in found["texts"] if entry[1] < 4.5] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert [error for error in errors if "415" not in error] == []
    page.close()


def test_the_microphone_can_be_separated(listening: Any, chromium: Any) -> None:
    page, errors, _ = open_page(listening, chromium)
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Recording: 0:02").wait_for()
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_text("recording.webm", exact=True).wait_for()
    separate(page, "a beep")
    wait_for_results(page, 3)
    assert page.evaluate("shown.told.seconds") == pytest.approx(2.0, abs=0.8)
    peak = page.evaluate(
        """async () => {
          const sound = await (await fetch(shown.player.tracks[0].address)).arrayBuffer();
          const decoded = await new AudioContext().decodeAudioData(sound);
          return Math.max(...decoded.getChannelData(0).map(Math.abs));
        }"""
    )
    assert peak > 0.01
    assert errors == []
    page.close()


def test_a_dropped_m4a_is_separated(listening: Any, chromium: Any, tmp_path: Path) -> None:
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
    wait_for_results(page, 3)
    assert page.evaluate("shown.told.seconds") == pytest.approx(1.0, abs=0.1)
    assert errors == []
    page.close()
