"""Downloading the audio of a video and cutting it to a segment."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.errors import InputError, RunError, first_line
from dplass_cli.options.download_audioset_options import VideoSite
from dplass_cli.storage import make_folder, require_file

_log = logging.getLogger(__name__)

_RATE_LIMITS = re.compile(
    "HTTP Error 429|Too Many Requests|not a bot|rate-limited|captcha challenge|isn't available, try again later", re.I
)
"""Answers of a server to a client that sends too many requests. Further requests would prolong the block."""

_OWN_FAULTS = re.compile(
    "private video|confirm your age|age-restricted|inappropriate for some users|unavailable|video is not available"
    "|no longer available|available in your (country|location)|removed|terminated|members-only|this channel's members"
    "|copyright|requires payment|live (event|stream)|premiere",
    re.I,
)
"""Answers that concern one video, so that many of them in a row say nothing about the next."""

_BROKEN = re.compile(r"\[download\] Got error: (?!HTTP Error 4)")
"""yt-dlp's message when its retries of a broken connection are used up. The error has no cause attached."""


class NotFetched(Exception):
    """A clip is unavailable; the message says why.

    Attributes:
        kind: the reason without what differs between videos; None if it concerns this video only.
        lacks_runtime: whether yt-dlp found no JavaScript runtime, without which it cannot solve the site's challenges.
    """

    def __init__(self, reason: str, kind: str | None = None, lacks_runtime: bool = False) -> None:
        super().__init__(reason)
        self.kind, self.lacks_runtime = kind, lacks_runtime


def clip_path(folder: Path, segment: Segment) -> Path:
    """Return the path of a segment's clip, by a name that ``prepare-audioset`` finds."""
    return folder / f"{segment.ytid}_{round(segment.start * 1000)}.flac"


def check_cookies(path: Path) -> None:
    """Check that a file has cookies in the format that yt-dlp reads (InputError)."""
    _require_downloader()
    from http.cookiejar import LoadError

    from yt_dlp.cookies import YoutubeDLCookieJar

    require_file(path, "file of cookies")
    try:
        YoutubeDLCookieJar(str(path)).load()
    except (LoadError, OSError, ValueError) as error:
        raise InputError(
            f"--cookies {path}: not cookies in Netscape's format ({first_line(error)}); export them from a browser"
        ) from error


def downloader_version() -> str:
    """The version of yt-dlp."""
    from yt_dlp.version import __version__

    return str(__version__)


def fetch_clip(segment: Segment, folder: Path, source: VideoSite, cookies: Path | None = None) -> Path:
    """Download a video's best audio, cut it to the segment and write it as FLAC (16 bits), atomically.

    An interrupted download is continued by the next call.

    Args:
        segment: the clip.
        folder: the folder of the clips.
        source: where the video is.
        cookies: file of cookies; yt-dlp updates it.

    Raises:
        NotFetched: this video is unavailable, or has no audio in the segment.
        RunError: the server refuses further requests or is unreachable, or the disk is full.
        InputError: the extra ``download`` is not installed.
    """
    target, staging = clip_path(folder, segment), make_folder(folder / ".fetching" / segment.ytid)
    video = _download(segment.ytid, staging, source, cookies)
    try:
        audio, rate = read_audio(video, segment.start, segment.end)
    except InputError as error:
        reason = str(error).removeprefix(f"{video}: ")
        raise NotFetched(reason, reason) from error
    peak = float(np.abs(audio).max(initial=0.0))
    write_audio(target, audio / max(peak, 1.0), rate, "PCM_16")
    shutil.rmtree(staging)
    return target


def _require_downloader() -> None:
    try:
        import yt_dlp  # noqa: F401
    except ImportError as error:
        raise InputError("downloading needs the extra 'download'; pip install 'dplass[download]'") from error


def _download(ytid: str, folder: Path, source: VideoSite, cookies: Path | None) -> Path:
    _require_downloader()
    from yt_dlp import YoutubeDL
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import DownloadError

    url, messages = source.url.format(id=ytid), _Messages()
    options: dict[str, Any] = {
        "format": "bestaudio/best",
        "outtmpl": {"default": f"{str(folder).replace('%', '%%')}/audio.%(ext)s"},
        "quiet": True,
        "noprogress": True,
        "noplaylist": True,
        "cachedir": False,
        "logger": messages,
        "socket_timeout": source.timeout,
        "retries": source.retries,
        "ratelimit": source.rate or None,
        "cookiefile": None if cookies is None else str(cookies),
    }
    try:
        with YoutubeDL(options) as client:
            info = client.extract_info(url, download=True)
            return Path(info["requested_downloads"][0]["filepath"])
    except DownloadError as error:
        reason = " ".join(str(error).replace("ERROR: ", "").replace("’", "'").split())
        if _RATE_LIMITS.search(reason):
            raise RunError(f"{url}: {reason}; wait some hours and rerun with a longer --pause") from error
        cause = _cause(error)
        failed = isinstance(cause, TransportError) or (isinstance(cause, HTTPError) and cause.status >= 500)
        if failed or _BROKEN.search(reason):
            raise RunError(f"{url}: {reason}; check the connection and rerun to continue") from error
        if isinstance(cause, OSError):
            raise RunError(f"{folder}: writing failed ({cause.strerror or cause}); free space and rerun") from error
        kind = None if _OWN_FAULTS.search(reason) else reason.replace(ytid, "")
        raise NotFetched(reason, kind, messages.lacks_runtime) from error


def _cause(error: BaseException) -> BaseException | None:
    """Return the network or disk error that caused one of yt-dlp's errors; None where there is none."""
    from yt_dlp.networking.exceptions import network_exceptions

    found: BaseException | None = error
    while found is not None and not isinstance(found, (*network_exceptions, OSError)):
        cause = getattr(found, "cause", None)  # yt-dlp's own attribute, set where an error is raised after retries
        found = cause if isinstance(cause, BaseException) else found.__cause__ or found.__context__
    return found


class _Messages:
    """Sends yt-dlp's messages to the log. Its errors are raised as well.

    Attributes:
        lacks_runtime: whether it has warned that there is no JavaScript runtime.
    """

    def __init__(self) -> None:
        self.lacks_runtime = False

    def debug(self, message: str) -> None:
        _log.debug(message)

    def warning(self, message: str) -> None:
        self.lacks_runtime |= "No supported JavaScript runtime" in message
        _log.info(message)

    def error(self, message: str) -> None:
        _log.info(message)
