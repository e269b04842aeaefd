"""Fetching clips, from a local server alone."""

from __future__ import annotations

import csv
import dataclasses
import functools
import gc
import io
import socket
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from dplass_cli.audio.reading import audio_info, read_mono
from dplass_cli.cli import app
from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.segment_download import FAILURES, download_segments
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.download_audioset_options import DownloadAudiosetOptions, VideoSite
from dplass_cli.pipelines.download_audioset import download_audioset

pytest.importorskip("yt_dlp", reason="the extra 'download' is not installed")
pytest.importorskip("av", reason="the extra 'download' is not installed")

RATE = 16000


# yt-dlp leaves the socket of an error answer to the collector, which complains whenever it comes.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have the collector come in the test that it would complain of, not in a later one."""
    yield
    gc.collect()


class _Handler(SimpleHTTPRequestHandler):
    asked: list[str]
    refuse: int = 0
    cut: bool = False

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.refuse:
            self.send_error(self.refuse)
        else:
            super().do_GET()

    do_HEAD = do_GET

    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(source.read(2000)) if self.cut else super().copyfile(source, outputfile)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A folder of videos behind a server: (folder, its handler, the source)."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("NO_PROXY", "*")
    handler = type("Handler", (_Handler,), {"asked": [], "refuse": 0, "cut": False})
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        source = VideoSite(f"http://127.0.0.1:{server.server_address[1]}/{{id}}.wav", retries=0, timeout=5)
        yield folder, handler, source
        server.shutdown()
        thread.join()


def steps(seconds: int) -> np.ndarray[Any, Any]:
    """Audio whose value is the second it is in, in tenths."""
    return (np.repeat(np.arange(seconds), RATE) / 10).astype(np.float32)


def options(tmp_path: Path, source: VideoSite, *lines: str, **changes: Any) -> DownloadAudiosetOptions:
    (tmp_path / "segments.csv").write_text("".join(f'{line}, "/m/a"\n' for line in lines))
    return DownloadAudiosetOptions((tmp_path / "segments.csv",), tmp_path / "clips", pause=0, source=source, **changes)


def test_clips_are_fetched_and_cut(tmp_path: Path, site: Any) -> None:
    folder, handler, source = site
    soundfile.write(folder / "-bc.wav", steps(8), RATE)
    soundfile.write(folder / "stereo.wav", np.stack([steps(4), -steps(4)], axis=1), RATE)
    wanted = options(tmp_path, source, "-bc, 3.5, 5.5", "stereo, 2.0, 12.0")
    result = download_audioset(wanted)
    assert (result.fetched, result.found, result.failed) == (2, 0, {})
    audio = read_mono(tmp_path / "clips" / "-bc_3500.flac", RATE)
    np.testing.assert_allclose(audio[[0, 7999, 8001, 24001]], [0.3, 0.3, 0.4, 0.5], atol=1e-4)
    assert audio_info(tmp_path / "clips" / "-bc_3500.flac").frames == 2 * RATE
    stereo = audio_info(tmp_path / "clips" / "stereo_2000.flac")
    assert (stereo.channels, stereo.frames) == (2, 2 * RATE)  # the video ends there
    assert not list((tmp_path / "clips" / ".fetching").iterdir())
    handler.asked.clear()
    again = download_audioset(wanted)
    assert (again.fetched, again.found, handler.asked) == (0, 2, [])


def test_failures_are_recorded_with_the_reason_and_not_tried_again(tmp_path: Path, site: Any) -> None:
    folder, handler, source = site
    soundfile.write(folder / "good.wav", steps(3), RATE)
    soundfile.write(folder / "short.wav", steps(3), RATE)
    (folder / "damaged.wav").write_bytes(b"RIFF" + bytes(400))
    lines = ("gone, 0, 2", "short, 5, 7", "damaged, 0, 2", "good, 0, 2")
    result = download_audioset(options(tmp_path, source, *lines))
    assert result.fetched == 1
    assert "404" in result.failed["gone"]
    assert result.failed["short"] == "no audio between 5.0 s and 7.0 s (the file has 3.000 s)"
    assert "is a RIFF file of type" in result.failed["damaged"]
    rows = list(csv.DictReader(io.StringIO(result.failures.read_text().partition("\n")[2])))
    assert [(row["ytid"], row["reason"]) for row in rows] == list(result.failed.items())
    handler.asked.clear()
    again = download_audioset(options(tmp_path, source, *lines))
    assert (again.found, again.left, again.failed, handler.asked) == (1, 3, {}, [])
    soundfile.write(folder / "gone.wav", steps(3), RATE)
    third = download_audioset(options(tmp_path, source, *lines, retry_failed=True))
    assert (third.fetched, sorted(third.failed)) == (1, ["damaged", "short"])


def test_a_limit_and_ids_choose_the_clips_to_download(tmp_path: Path, site: Any) -> None:
    folder, _, source = site
    for name in "abc":
        soundfile.write(folder / f"{name}.wav", steps(1), RATE)
    (tmp_path / "ids.txt").write_text("b\nc\n")
    lines = ("a, 0, 1", "b, 0, 1", "c, 0, 1")
    result = download_audioset(options(tmp_path, source, *lines, ids=tmp_path / "ids.txt", limit=1))
    assert (result.segments, result.fetched, result.left) == (2, 1, 1)
    assert (tmp_path / "clips" / "b_0.flac").is_file()


def test_a_server_that_asks_to_slow_down_stops_the_run(tmp_path: Path, site: Any) -> None:
    _, handler, source = site
    handler.refuse = 429
    with pytest.raises(RunError, match=r"429.*; wait some hours and rerun with a longer --pause"):
        download_audioset(options(tmp_path, source, "a, 0, 1", "b, 0, 1"))
    assert not any("/b.wav" in path for path in handler.asked)


def stopped(wanted: DownloadAudiosetOptions, message: str) -> None:
    """The run stops at its first clip with a message, and no clip counts as failed."""
    with pytest.raises(RunError, match=message):
        download_audioset(wanted)
    assert "a" not in {row["ytid"] for row in csv.DictReader(io.StringIO(recorded(wanted)))}


def recorded(wanted: DownloadAudiosetOptions) -> str:
    failures = wanted.output / FAILURES
    return failures.read_text().partition("\n")[2] if failures.exists() else ""


@pytest.mark.parametrize("retries", [0, 1])
def test_an_outage_stops_the_run_and_is_no_fault_of_a_video(tmp_path: Path, site: Any, retries: int) -> None:
    folder, handler, source = site
    soundfile.write(folder / "a.wav", steps(2), RATE)
    source = dataclasses.replace(source, retries=retries)
    outage = "; check the connection and rerun to continue"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # nothing listens there
        refused = dataclasses.replace(source, url=f"http://127.0.0.1:{other.getsockname()[1]}/{{id}}.wav")
        stopped(options(tmp_path, refused, "a, 0, 1"), f"refused.*{outage}")
    nowhere = dataclasses.replace(source, url="http://nowhere.invalid/{id}.wav")
    stopped(options(tmp_path, nowhere, "a, 0, 1"), outage)
    handler.refuse = 503
    stopped(options(tmp_path, source, "a, 0, 1"), f"503.*{outage}")
    handler.refuse, handler.cut = 0, True
    stopped(options(tmp_path, source, "a, 0, 1"), f"Got error.*{outage}")
    handler.cut = False
    assert download_audioset(options(tmp_path, source, "a, 0, 1")).fetched == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_stops_the_run_and_is_no_fault_of_a_video(
    tmp_path: Path, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yt_dlp.downloader.http import HttpFD

    folder, _, source = site
    soundfile.write(folder / "a.wav", steps(2), RATE)
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(HttpFD, "sanitize_open", lambda _, path, mode: (full, path))
        stopped(options(tmp_path, source, "a, 0, 1"), "a: writing failed .No space left on device.; free space")


def test_there_is_a_pause_between_two_videos(tmp_path: Path, site: Any) -> None:
    folder, _, source = site
    slept: list[float] = []
    for name in "abc":
        soundfile.write(folder / f"{name}.wav", steps(1), RATE)
    segments = [Segment(name, 0.0, 1.0, ("/m/a",)) for name in "abc"]
    download_segments(segments, tmp_path / "clips", source, pause=10, sleep=slept.append)
    assert len(slept) == 2
    assert all(5 <= pause <= 15 for pause in slept)


def test_wrong_lists_are_refused(tmp_path: Path, site: Any) -> None:
    _, _, source = site
    with pytest.raises(InputError, match="is not a YTID"):
        download_audioset(options(tmp_path, source, "../a, 0, 1"))
    with pytest.raises(InputError, match="no segments in it; check --segments"):
        download_audioset(options(tmp_path, source))
    with pytest.raises(InputError, match=r"url .*: must be a URL that contains {id}"):
        VideoSite("http://127.0.0.1/")


def test_the_command_reports_failures(tmp_path: Path, site: Any) -> None:
    _, _, source = site
    options(tmp_path, source, "gone, 0, 2")
    given = ["--segments", str(tmp_path / "segments.csv"), "-o", str(tmp_path / "clips"), "--pause", "0"]
    done = CliRunner().invoke(app, ["download-audioset", *given, "--set", f"source.url={source.url}"])
    assert done.exit_code == 1, done.output
    assert "1 clips cannot be fetched" in done.stderr
