"""Options of ``download-audioset``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class VideoSite:
    """Where videos come from, and how hard it may be asked.

    Attributes:
        url: the address of a video, with ``{id}``.
        rate: bytes a second, at most; 0 for no limit.
        timeout: seconds to wait for an answer.
        retries: of a connection that breaks.
    """

    url: str = "https://www.youtube.com/watch?v={id}"
    rate: int = 0
    timeout: float = 30.0
    retries: int = 3

    def __post_init__(self) -> None:
        if "{id}" not in self.url:
            raise ValueError(f"url must have {{id}} in it, not {self.url!r}")


@dataclass(frozen=True)
class DownloadAudiosetOptions:
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
