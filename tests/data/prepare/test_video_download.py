"""Names of downloaded clips, addresses of videos, and what the site's answers mean. Nothing here touches a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.locating import ClipIndex
from dplass_cli.data.prepare.video_download import NotFetched, check_cookies, clip_path, fetch_clip
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.download_audioset_options import VideoSite


def test_a_downloaded_clip_has_a_name_that_preparation_finds() -> None:
    segment = Segment("-0RWZT-miFs", 30.5, 40.5, ("/m/a",))
    path = clip_path(Path("/clips"), segment)
    assert path == Path("/clips/-0RWZT-miFs_30500.flac")
    assert ClipIndex([str(path)]).by_id(segment.ytid, segment.start, segment.end) == str(path)


def test_the_address_of_a_video_contains_its_id() -> None:
    with pytest.raises(InputError, match=r"url .*: must be a URL that contains \{id\}"):
        VideoSite("http://127.0.0.1/")


SEGMENT = Segment("abcdefghijk", 0.0, 10.0, ("/m/a",))


class FakeClient:
    """Stands for yt-dlp's client and fails with ``answer``."""

    answer = ""
    warning = ""
    options: dict[str, Any]

    def __init__(self, options: dict[str, Any]) -> None:
        type(self).options = options

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def extract_info(self, url: str, download: bool) -> None:
        from yt_dlp.utils import DownloadError

        self.options["logger"].warning(self.warning)
        raise DownloadError(f"ERROR: [youtube] {SEGMENT.ytid}: {self.answer}")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    yt_dlp = pytest.importorskip("yt_dlp", reason="the extra 'download' is not installed")
    fake = type("Client", (FakeClient,), {})
    monkeypatch.setattr(yt_dlp, "YoutubeDL", fake)
    return fake


@pytest.mark.parametrize(
    "answer",
    [
        "Sign in to confirm your age. This video may be inappropriate for some users.",
        "Private video. Sign in if you've been granted access to this video",
        "Video unavailable. This video has been removed by the uploader",
        "Video unavailable. This video is no longer available because the YouTube account has been terminated.",
        "The uploader has not made this video available in your country",
        "This video is not available",
        "Join this channel to get access to members-only content like this video, and other exclusive perks.",
    ],
)
def test_an_unavailable_video_is_only_its_own_failure(tmp_path: Path, client: type[FakeClient], answer: str) -> None:
    client.answer = answer
    with pytest.raises(NotFetched, match=answer[:20]) as failed:
        fetch_clip(SEGMENT, tmp_path, VideoSite())
    assert failed.value.kind is None


@pytest.mark.parametrize(
    "answer",
    [
        "Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.",
        "Sign in to confirm you're not a bot. This helps protect our community. Learn more",
        "Unable to download API page: HTTP Error 429: Too Many Requests",
        "Video unavailable. This content isn’t available, try again later. The current session has been rate-limited by"
        " YouTube for up to an hour.",
    ],
)
def test_a_rate_limit_stops_the_run(tmp_path: Path, client: type[FakeClient], answer: str) -> None:
    client.answer = answer
    with pytest.raises(RunError, match=r"youtube.com/watch\?v=abcdefghijk: .*; wait some hours and rerun"):
        fetch_clip(SEGMENT, tmp_path, VideoSite())


def test_other_failures_have_a_kind_without_the_id(tmp_path: Path, client: type[FakeClient]) -> None:
    client.answer = "Requested format is not available"
    with pytest.raises(NotFetched) as failed:
        fetch_clip(SEGMENT, tmp_path, VideoSite())
    assert failed.value.kind == "[youtube] : Requested format is not available"
    assert not failed.value.lacks_runtime
    client.warning = "[youtube] No supported JavaScript runtime could be found. Only deno is enabled by default"
    with pytest.raises(NotFetched) as failed:
        fetch_clip(SEGMENT, tmp_path, VideoSite())
    assert failed.value.lacks_runtime


def test_cookies_are_passed_on(tmp_path: Path, client: type[FakeClient]) -> None:
    client.answer = "Private video"
    with pytest.raises(NotFetched):
        fetch_clip(SEGMENT, tmp_path, VideoSite(), tmp_path / "cookies.txt")
    assert client.options["cookiefile"] == str(tmp_path / "cookies.txt")


def test_files_that_are_not_cookies_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("yt_dlp", reason="the extra 'download' is not installed")
    cookies = tmp_path / "cookies.txt"
    with pytest.raises(InputError, match=r"cookies.txt: no such file of cookies"):
        check_cookies(cookies)
    cookies.write_text('{"json": 1}')
    with pytest.raises(InputError, match=r"--cookies .*cookies.txt: not cookies in Netscape's format .*; export them"):
        check_cookies(cookies)
    cookies.write_text("# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t0\tPREF\tx\n")
    check_cookies(cookies)
