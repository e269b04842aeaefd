"""``download-audioset``: the clips of segment lists, one after the other, until all are had or known to be gone."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.data.prepare.audioset_lists import Segment, read_ids, read_segments
from dplass_cli.data.prepare.video_download import NotFetched, VideoSite, clip_path, fetch_clip
from dplass_cli.errors import InputError
from dplass_cli.records import Records
from dplass_cli.storage import Progress, locked, make_folder, no_progress

FAILURES = "failures.csv"
_COLUMNS = ("ytid", "start", "end", "reason")


@dataclass(frozen=True)
class DownloadOptions:
    """What to fetch.

    Attributes:
        segments: AudioSet segment lists.
        output: the folder of the clips and of ``failures.csv``; a run goes on where another ended.
        ids: a text file with the YTIDs to fetch, one a line.
        limit: fetch at most so many clips now.
        pause: seconds between two videos, on average; each is between half and one and a half of it.
        retry_failed: try again what is in ``failures.csv``.
        source: where the videos come from.
    """

    segments: tuple[Path, ...]
    output: Path
    ids: Path | None = None
    limit: int | None = None
    pause: float = 2.0
    retry_failed: bool = False
    source: VideoSite = field(default_factory=VideoSite)

    def __post_init__(self) -> None:
        if self.pause < 0:
            raise ValueError(f"pause must not be negative, not {self.pause}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1, not {self.limit}")


@dataclass(frozen=True)
class DownloadResult:
    """What was fetched.

    Attributes:
        folder, failures: of the clips; the list of what could not be had.
        segments: asked for. fetched: now. found: there before. failed: {ytid: why}, of this run.
        left: not tried in this run, since it was limited or they failed before.
    """

    folder: Path
    failures: Path
    segments: int
    fetched: int
    found: int
    failed: dict[str, str]
    left: int


def download_audioset(options: DownloadOptions, progress: Progress = no_progress) -> DownloadResult:
    """Fetch the clips that are not there yet; what can't be had is recorded with the reason.

    Raises:
        InputError: the lists are wrong, or the extra ``download`` is missing.
        RunError: the server asks to slow down or cannot be reached, or the disk is full; what was fetched is kept, and
            the video it happened at counts as not tried.
    """
    segments = _wanted(options)
    folder = make_folder(options.output)
    counts: Counter[str] = Counter()
    failed: dict[str, str] = {}
    with locked(folder / ".lock"), Records(folder / FAILURES, _COLUMNS, "failed downloads") as records:
        known = set() if options.retry_failed else {row["ytid"] for row in records.rows}
        for done, segment in enumerate(segments):
            progress(done, len(segments), "fetching clips")
            if clip_path(folder, segment).is_file():
                counts["found"] += 1
            elif segment.ytid in known or counts["fetched"] + len(failed) == options.limit:
                counts["left"] += 1
            else:
                _pause(options.pause if counts["fetched"] or failed else 0.0)
                try:
                    fetch_clip(segment, folder, options.source)
                    counts["fetched"] += 1
                except NotFetched as error:
                    failed[segment.ytid] = str(error)
                    row = {"ytid": segment.ytid, "start": segment.start, "end": segment.end, "reason": error}
                    records.append([row])
        progress(len(segments), len(segments), "fetching clips")
    return DownloadResult(
        folder, folder / FAILURES, len(segments), counts["fetched"], counts["found"], failed, counts["left"]
    )


def _wanted(options: DownloadOptions) -> list[Segment]:
    segments = [segment for path in options.segments for segment in read_segments(path)]
    if options.ids is not None:
        ids = read_ids(options.ids)
        segments = [segment for segment in segments if segment.ytid in ids]
    if not segments:
        raise InputError("nothing to fetch; check --segments and --ids")
    unsafe = next((segment.ytid for segment in segments if "/" in segment.ytid), None)
    if unsafe is not None:
        raise InputError(f"{unsafe!r} is no YTID; check --segments")
    return list({(segment.ytid, segment.start): segment for segment in segments}.values())


def _pause(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.5, 1.5))
