"""The download of a list of clips: what is tried, and what is not. Nothing here touches a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.segment_download import FAILURES, download_segments
from dplass_cli.data.prepare.video_download import clip_path
from dplass_cli.errors import InputError
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
