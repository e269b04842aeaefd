"""Options of ``download-audioset``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import check_field, option, section


@dataclass(frozen=True)
class VideoSite:
    """Where videos come from, and how hard it may be asked."""

    url: str = option(default="https://www.youtube.com/watch?v={id}", help="Address of a video, with {id}.")
    rate: int = option(default=0, shown="0: no limit", help="Largest download rate in bytes per second.")
    timeout: float = option(default=30.0, help="Seconds to wait for an answer.")
    retries: int = option(default=3, help="Retries of a connection that breaks.")

    def __post_init__(self) -> None:
        check_field(self, "url", "{id}" in self.url, "a URL that contains {id}")


@dataclass(frozen=True)
class DownloadAudiosetOptions:
    """Options of ``download-audioset``."""

    segments: tuple[Path, ...] = option("--segments", help="Segment list (weak .csv or strong .tsv). Repeatable.")
    output: Path = option(
        "--output", "-o", help="Folder of the clips and of failures.csv; an interrupted download resumes there."
    )
    ids: Path | None = option("--ids", default=None, help="Fetch only these YTIDs: a text file, one per line.")
    limit: int | None = option("--limit", default=None, help="Largest number of clips to fetch now.")
    pause: float = option("--pause", default=2.0, help="Mean of the random pause between two videos, in seconds.")
    retry_failed: bool = option("--retry-failed", default=False, help="Try again what failures.csv lists.")
    source: VideoSite = section(VideoSite, help="Where videos come from.")

    def __post_init__(self) -> None:
        check_field(self, "pause", self.pause >= 0, "at least 0")
        check_field(self, "limit", self.limit is None or self.limit >= 1, "at least 1")
