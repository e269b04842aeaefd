"""Downloading the clips of segment lists, one after the other; later runs continue where one stopped."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.data.prepare.audioset_lists import Segment
from dplass_cli.data.prepare.video_download import NotFetched, clip_path, fetch_clip
from dplass_cli.errors import InputError
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


def download_segments(
    segments: Sequence[Segment],
    folder: Path,
    site: VideoSite,
    limit: int | None = None,
    pause: float = 0.0,
    retry_failed: bool = False,
    progress: Progress = no_progress,
    sleep: Callable[[float], object] = time.sleep,
) -> DownloadResult:
    """Download the clips that are not in the folder yet; ``failures.csv`` records the unavailable ones.

    Repeated segments are downloaded once, at most ``limit`` clips in all. The pause between two videos is 0.5 to 1.5
    times ``pause``, in seconds.

    Raises:
        InputError: an id is not a YTID, or the extra ``download`` is not installed.
        RunError: the server refuses further requests or is unreachable, or the disk is full. Downloaded clips are kept,
            and the current clip does not count as tried.
    """
    segments = list({(segment.ytid, segment.start): segment for segment in segments}.values())
    invalid = next((segment.ytid for segment in segments if "/" in segment.ytid), None)
    if invalid is not None:
        raise InputError(f"{invalid!r} is not a YTID; check --segments")
    make_folder(folder)
    counts: Counter[str] = Counter()
    failed: dict[str, str] = {}
    with locked(folder / ".lock"), Records(folder / FAILURES, _COLUMNS, "failed downloads") as records:
        known = set() if retry_failed else {row["ytid"] for row in records.rows}
        for done, segment in enumerate(segments):
            progress(done, len(segments), "downloading clips")
            if clip_path(folder, segment).is_file():
                counts["found"] += 1
            elif segment.ytid in known or counts["fetched"] + len(failed) == limit:
                counts["left"] += 1
            else:
                if counts["fetched"] or failed:
                    sleep(pause * random.uniform(0.5, 1.5))
                try:
                    fetch_clip(segment, folder, site)
                    counts["fetched"] += 1
                except NotFetched as error:
                    failed[segment.ytid] = str(error)
                    row = {"ytid": segment.ytid, "start": segment.start, "end": segment.end, "reason": error}
                    records.append([row])
        progress(len(segments), len(segments), "downloading clips")
    return DownloadResult(
        folder, folder / FAILURES, len(segments), counts["fetched"], counts["found"], failed, counts["left"]
    )
