"""The download of a list of clips: what is tried, and what is not. Nothing here touches a network."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.segment_download import FAILURES, download_segments
from dplass_cli.data.prepare.video_download import NotFetched, clip_path
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.download_audioset_options import VideoSite
from dplass_cli.records import write_rows

NOWHERE = VideoSite("http://nowhere.invalid/{id}")


def segment(ytid: str, start: float = 0.0) -> Segment:
    return Segment(ytid, start, start + 10.0, ("/m/a",))


def test_clips_that_are_there_are_not_downloaded_again(tmp_path: Path) -> None:
    clip_path(tmp_path, segment("a", 1.5)).touch()
    result = download_segments([segment("a", 1.5), segment("a", 1.5)], tmp_path, NOWHERE)
    assert (result.segments, result.found, result.fetched, result.left) == (1, 1, 0, 0)


def test_clips_that_failed_before_are_left(tmp_path: Path) -> None:
    row = {"ytid": "a", "start": 0.0, "end": 10.0, "reason": "private"}
    write_rows(tmp_path / FAILURES, row, [row], key="failed downloads")
    slept: list[float] = []
    result = download_segments([segment("a")], tmp_path, NOWHERE, pause=5.0, sleep=slept.append)
    assert (result.left, result.failed, slept) == (1, {}, [])


def test_progress_is_reported_for_each_clip(tmp_path: Path) -> None:
    clip_path(tmp_path, segment("a")).touch()
    calls: list[tuple[int, int]] = []
    download_segments([segment("a")], tmp_path, NOWHERE, progress=lambda done, total, what: calls.append((done, total)))
    assert calls == [(0, 1), (1, 1)]


def test_an_id_that_is_a_path_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'\.\./a' is not a YTID; check --segments"):
        download_segments([segment("../a")], tmp_path / "clips", NOWHERE)
    assert not (tmp_path / "clips").exists()


class FakeSite:
    """Fails for videos as ``answers`` says, and counts which were asked for."""

    def __init__(self, answers: dict[str, Exception]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __call__(self, segment: Segment, folder: Path, site: VideoSite, cookies: Path | None) -> None:
        self.asked.append(segment.ytid)
        if segment.ytid in self.answers:
            raise self.answers[segment.ytid]
        clip_path(folder, segment).touch()


def recorded(folder: Path) -> list[str]:
    text = (folder / FAILURES).read_text()
    return [row["ytid"] for row in csv.DictReader(io.StringIO(text.partition("\n")[2]))]


NAMES = [f"v{number}" for number in range(12)]
SEGMENTS = [segment(name) for name in NAMES]
NO_FORMAT = "Requested format is not available"


@pytest.mark.parametrize(
    ("lacks_runtime", "says"),
    [
        (False, r"may be too old for the site; update it \(pip install --upgrade yt-dlp\) and rerun"),
        (True, "found no JavaScript runtime; install one, such as deno .*, and rerun"),
    ],
)
def test_the_same_failure_ten_times_in_a_row_stops_the_run(tmp_path: Path, lacks_runtime: bool, says: str) -> None:
    pytest.importorskip("yt_dlp", reason="the extra 'download' is not installed")
    site = FakeSite({name: NotFetched(f"{name}: {NO_FORMAT}", NO_FORMAT, lacks_runtime) for name in NAMES})
    with pytest.raises(RunError, match=rf"10 videos in a row .*{NO_FORMAT}.*: yt-dlp 20\d\d\.[\d.]+ {says}"):
        download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=site)
    assert site.asked == NAMES[:10]
    assert recorded(tmp_path) == []


def test_zero_continues_after_any_number_of_same_failures(tmp_path: Path) -> None:
    site = FakeSite({name: NotFetched(NO_FORMAT, NO_FORMAT) for name in NAMES})
    result = download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=site, same_failures=0)
    assert list(result.failed) == recorded(tmp_path) == NAMES


def test_a_clip_in_between_ends_a_row_of_failures(tmp_path: Path) -> None:
    site = FakeSite({name: NotFetched(NO_FORMAT, NO_FORMAT) for name in NAMES if name != "v6"})
    result = download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=site)
    assert result.fetched == 1
    assert recorded(tmp_path) == [name for name in NAMES if name != "v6"]


def test_unavailable_videos_are_never_too_many(tmp_path: Path) -> None:
    site = FakeSite({name: NotFetched("Private video") for name in NAMES[:11]})
    result = download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=site)
    assert (result.fetched, recorded(tmp_path)) == (1, NAMES[:11])


def test_failures_just_before_a_stop_are_tried_again(tmp_path: Path) -> None:
    answers: dict[str, Exception] = {"v0": NotFetched("Private video"), "v1": NotFetched("HTTP 403", "HTTP 403")}
    with pytest.raises(RunError):
        download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=FakeSite({**answers, "v2": RunError("HTTP Error 429")}))
    assert recorded(tmp_path) == ["v0"]
    site = FakeSite({})
    assert download_segments(SEGMENTS, tmp_path, NOWHERE, fetch=site).fetched == 11
    assert site.asked == NAMES[1:]
