"""Options of ``tag``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option
from dplass_cli.options.model_options import EncoderOptions

TAG_THRESHOLD = 0.3
"""By default, a sound is there from this probability on; see docs/tagging.md."""


def threshold_option(help: str, **details: str) -> float:
    """Declare ``--threshold``; ``help`` says what it is the lowest probability of."""
    expected = "a probability from 0 to 1, such as 0.3"
    return option(TAG_THRESHOLD, help, "--threshold", least=0, most=1, expected=expected, **details)


@dataclass(frozen=True, kw_only=True)
class TagOptions(EncoderOptions):
    """Options of ``tag``."""

    recordings: tuple[Path, ...] = argument("RECORDING", "Recordings, folders or patterns.", ())
    labels: str | None = option(
        None,
        "Sounds to look for: audioset, scenes, or a file with one per line.",
        shown="those of dplass sounds",
        named=True,
    )
    output: Path | None = option(None, "Folder of label files for Audacity, one per recording.", also="-o")
    picture: bool = option(False, "Also draw the timeline of each recording into --output, as PNG.")
    threshold: float = threshold_option("The lowest probability of a sound that is listed.")
    top: int | None = option(None, "At most this many sounds per recording, the most probable.", least=1)
    window: float | None = option(
        None, "Seconds that are embedded at once. Windows overlap by half.", shown="2.5", above=0
    )
    track: int = option(1, "Which audio track of a video or another file with several, from 1 on.", least=1)
