"""Downloading the clips of segment lists, one after the other; later runs continue where one stopped."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.video_download import (
    NotFetched,
    check_cookies,
    clip_path,
    downloader_version,
    fetch_clip,
)
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.download_audioset_options import VideoSite
from dplass_cli.records import Records
from dplass_cli.storage import Progress, locked, make_folder, no_progress

FAILURES = "failures.csv"
_COLUMNS = ("ytid", "start", "end", "reason")


@dataclass(frozen=True)
class DownloadResult:
    """Result of :func:`download_segments`.

    Attributes:
        folder: the folder of the clips.
        failures: the list of unavailable clips, with reasons.
        segments: clips asked for.
        fetched: clips downloaded in this run.
        found: clips downloaded by earlier runs.
        failed: {ytid: reason}, of this run.
        left: clips not tried in this run, because it was limited or they failed before.
    """

    folder: Path
    failures: Path
    segments: int
    fetched: int
    found: int
    failed: dict[str, str]
    left: int


FetchClip = Callable[[Segment, Path, VideoSite, Path | None], object]
"""Signature of :func:`~dplass_cli.data.prepare.video_download.fetch_clip`."""


def download_segments(
    segments: Sequence[Segment],
    folder: Path,
    site: VideoSite,
    limit: int | None = None,
    pause: float = 0.0,
    retry_failed: bool = False,
    progress: Progress = no_progress,
    sleep: Callable[[float], object] = time.sleep,
    cookies: Path | None = None,
    same_failures: int = 10,
    fetch: FetchClip = fetch_clip,
) -> DownloadResult:
    """Download the clips that are not in the folder yet; ``failures.csv`` records the unavailable ones.

    Repeated segments are downloaded once, at most ``limit`` clips in all. The pause between two videos is 0.5 to 1.5
    times ``pause``, in seconds.

    Args:
        segments: the clips.
        folder: the folder to write to.
        site: where the videos are.
        limit: the largest number of clips to try; None: all.
        pause: mean pause between two videos, in seconds.
        retry_failed: try again what ``failures.csv`` lists.
        progress: called after each clip.
        sleep: called with the seconds of each pause.
        cookies: file of cookies for the site.
        same_failures: after so many videos in a row that failed for the same reason, which is not the videos', the run
            stops; 0: never.
        fetch: downloads a clip.

    Raises:
        InputError: an id is not a YTID, the cookies are unusable, or the extra ``download`` is not installed.
        RunError: the server refuses further requests or is unreachable, the disk is full, or many videos in a row
            failed for the same reason. Downloaded clips are kept, and the clips that stopped the run do not count as
            tried.
    """
    segments = list({(segment.ytid, segment.start): segment for segment in segments}.values())
    invalid = next((segment.ytid for segment in segments if "/" in segment.ytid), None)
    if invalid is not None:
        raise InputError(f"{invalid!r} is not a YTID; check --segments")
    if cookies is not None:
        check_cookies(cookies)
    make_folder(folder)
    counts: Counter[str] = Counter()
    with locked(folder / ".lock"), Records(folder / FAILURES, _COLUMNS, "failed downloads") as records:
        failures = _Failures(records, folder, same_failures)
        known = set() if retry_failed else {row["ytid"] for row in records.rows}
        try:
            for done, segment in enumerate(segments):
                progress(done, len(segments), "downloading clips")
                if clip_path(folder, segment).is_file():
                    counts["found"] += 1
                elif segment.ytid in known or counts["fetched"] + len(failures.reasons) == limit:
                    counts["left"] += 1
                else:
                    if counts["fetched"] or failures.reasons:
                        sleep(pause * random.uniform(0.5, 1.5))
                    try:
                        fetch(segment, folder, site, cookies)
                        counts["fetched"] += 1
                        failures.record()
                    except NotFetched as error:
                        failures.add(segment, error)
        except RunError:
            failures.discard()
            raise
        finally:
            failures.record()
        progress(len(segments), len(segments), "downloading clips")
    return DownloadResult(
        folder, folder / FAILURES, len(segments), counts["fetched"], counts["found"], failures.reasons, counts["left"]
    )


class _Failures:
    """The failures of a run.

    Failures of one kind are held back until another result follows: if something stops the run before, it is probably
    their cause, and they must be tried again.

    Attributes:
        reasons: {ytid: reason}.
    """

    def __init__(self, records: Records, folder: Path, most: int) -> None:
        self._records, self._folder, self._most = records, folder, most
        self._kind: str | None = None
        self._held: list[dict[str, object]] = []
        self.reasons: dict[str, str] = {}

    def add(self, segment: Segment, error: NotFetched) -> None:
        """Add a failure.

        Raises:
            RunError: it is the last of its kind that is allowed.
        """
        if error.kind != self._kind:
            self.record()
        self._held.append({"ytid": segment.ytid, "start": segment.start, "end": segment.end, "reason": error})
        self.reasons[segment.ytid] = str(error)
        self._kind = error.kind
        if error.kind is None:
            self.record()
        elif len(self._held) == self._most:
            cause, remedy = "may be too old for the site", "update it (pip install --upgrade yt-dlp)"
            if error.lacks_runtime:
                cause, remedy = "found no JavaScript runtime", "install one, such as deno (https://deno.com),"
            raise RunError(
                f"{self._folder}: {self._most} videos in a row failed for one reason ({error}): yt-dlp"
                f" {downloader_version()} {cause}; {remedy} and rerun, or continue with --set same_failures=0"
            )

    def record(self) -> None:
        """Write the failures that are held back to the file."""
        self._records.append(self._held)
        self.discard()

    def discard(self) -> None:
        """Forget the failures that are held back, so that the next run tries these clips again."""
        self._kind, self._held = None, []
