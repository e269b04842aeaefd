"""``download-audioset``: the clips of segment lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.data.prepare.audioset_lists import read_segment_lists
from dplass_cli.data.prepare.segment_download import DownloadResult, download_segments
from dplass_cli.data.prepare.video_download import VideoSite
from dplass_cli.errors import InputError
from dplass_cli.storage import Progress, no_progress


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


def download_audioset(options: DownloadOptions, progress: Progress = no_progress) -> DownloadResult:
    """Download the clips that are not in the folder yet; ``failures.csv`` records the unavailable ones.

    Raises:
        InputError: the lists are wrong, or the extra ``download`` is not installed.
        RunError: the server refuses further requests or is unreachable, or the disk is full. Downloaded clips are kept.
    """
    if not options.segments:
        raise InputError("no segment list; give one with --segments")
    return download_segments(
        read_segment_lists(options.segments, options.ids),
        options.output,
        options.source,
        options.limit,
        options.pause,
        options.retry_failed,
        progress,
    )
