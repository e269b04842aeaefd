"""Options of ``download-audioset``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, check_field, option, required, section, setting


@dataclass(frozen=True)
class VideoSite(Options):
    """Where videos come from, and how hard it may be asked."""

    url: str = setting("https://www.youtube.com/watch?v={id}", "Address of a video, with {id}.")
    rate: int = setting(0, "Largest download rate in bytes per second.", shown="0: no limit")
    timeout: float = setting(30.0, "Seconds to wait for an answer.")
    retries: int = setting(3, "Retries of a connection that breaks.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field(self, "url", "{id}" in self.url, "a URL that contains {id}")


@dataclass(frozen=True)
class DownloadAudiosetOptions(Options):
    """Options of ``download-audioset``."""

    segments: tuple[Path, ...] = required("Segment list (weak .csv or strong .tsv). Repeatable.")
    output: Path = required(
        "Folder of the clips and of failures.csv; an interrupted download resumes there.", also="-o"
    )
    ids: Path | None = option(None, "Fetch only these YTIDs: a text file, one per line.")
    limit: int | None = option(None, "Largest number of clips to fetch now.", least=1)
    pause: float = option(2.0, "Mean of the random pause between two videos, in seconds.", least=0)
    retry_failed: bool = option(False, "Try again what failures.csv lists.")
    cookies: Path | None = option(
        None, "Cookies of a browser that is signed in (Netscape's format), for videos that require it."
    )
    same_failures: int = setting(
        10,
        "Stop when so many videos in a row failed for one reason, other than their own.",
        least=0,
        shown="10; 0: never",
    )
    source: VideoSite = section(VideoSite, "Where videos come from.")
