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
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.download_audioset_options import VideoSite
from dplass_cli.storage import make_folder

_log = logging.getLogger(__name__)

_SLOW_DOWN = ("HTTP Error 429", "Sign in to confirm")
"""Answers of a server to a client that sends too many requests. Further requests would prolong the block."""

_BROKEN = re.compile(r"\[download\] Got error: (?!HTTP Error 4)")
"""yt-dlp's message when its retries of a broken connection are used up. The error has no cause attached."""


class NotFetched(Exception):
    """A clip is unavailable; the message says why."""


def clip_path(folder: Path, segment: Segment) -> Path:
    """Return the path of a segment's clip, by a name that ``prepare-audioset`` finds."""
    return folder / f"{segment.ytid}_{round(segment.start * 1000)}.flac"


def fetch_clip(segment: Segment, folder: Path, source: VideoSite) -> Path:
    """Download a video's best audio, cut it to the segment and write it as FLAC (16 bits), atomically.

    An interrupted download is continued by the next call.

    Raises:
        NotFetched: this video is unavailable, or has no audio in the segment.
        RunError: the server refuses further requests or is unreachable, or the disk is full.
        InputError: the extra ``download`` is not installed.
    """
    target, staging = clip_path(folder, segment), make_folder(folder / ".fetching" / segment.ytid)
    video = _download(source.url.format(id=segment.ytid), staging, source)
    try:
        audio, rate = read_audio(video, segment.start, segment.end)
    except InputError as error:
        raise NotFetched(str(error).removeprefix(f"{video}: ")) from error
    peak = float(np.abs(audio).max(initial=0.0))
    write_audio(target, audio / max(peak, 1.0), rate, "PCM_16")
    shutil.rmtree(staging)
    return target


def _download(url: str, folder: Path, source: VideoSite) -> Path:
    try:
        from yt_dlp import YoutubeDL
        from yt_dlp.networking.exceptions import HTTPError, TransportError
        from yt_dlp.utils import DownloadError
    except ImportError as error:
        raise InputError("downloading needs the extra 'download'; pip install 'dplass[download]'") from error
    options: dict[str, Any] = {
        "format": "bestaudio/best",
        "outtmpl": {"default": f"{str(folder).replace('%', '%%')}/audio.%(ext)s"},
        "quiet": True,
        "noprogress": True,
        "noplaylist": True,
        "cachedir": False,
        "logger": _Quiet(),
        "socket_timeout": source.timeout,
        "retries": source.retries,
        "ratelimit": source.rate or None,
    }
    try:
        with YoutubeDL(options) as client:
            info = client.extract_info(url, download=True)
            return Path(info["requested_downloads"][0]["filepath"])
    except DownloadError as error:
        reason = " ".join(str(error).replace("ERROR: ", "").split())
        if any(words in reason for words in _SLOW_DOWN):
            raise RunError(f"{url}: {reason}; wait some hours and rerun with a longer --pause") from error
        cause = _cause(error)
        failed = isinstance(cause, TransportError) or (isinstance(cause, HTTPError) and cause.status >= 500)
        if failed or _BROKEN.search(reason):
            raise RunError(f"{url}: {reason}; check the connection and rerun to continue") from error
        if isinstance(cause, OSError):
            raise RunError(f"{folder}: writing failed ({cause.strerror or cause}); free space and rerun") from error
        raise NotFetched(reason) from error


def _cause(error: BaseException) -> BaseException | None:
    """Return the network or disk error that caused one of yt-dlp's errors; None where there is none."""
    from yt_dlp.networking.exceptions import network_exceptions

    found: BaseException | None = error
    while found is not None and not isinstance(found, (*network_exceptions, OSError)):
        cause = getattr(found, "cause", None)  # yt-dlp's own attribute, set where an error is raised after retries
        found = cause if isinstance(cause, BaseException) else found.__cause__ or found.__context__
    return found


class _Quiet:
    """Sends yt-dlp's messages to the log. Its errors are raised as well."""

    def debug(self, message: str) -> None:
        _log.debug(message)

    def warning(self, message: str) -> None:
        _log.info(message)

    def error(self, message: str) -> None:
        _log.info(message)
