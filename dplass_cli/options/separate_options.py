"""Options of ``separate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import argument, check_field, option
from dplass_cli.options.model_options import SeparatorOptions

Clipping = Literal["limit", "scale", "error"]
Highband = Literal["residual", "target", "drop"]


@dataclass(frozen=True, kw_only=True)
class SeparateOptions(SeparatorOptions):
    """Options of ``separate``."""

    inputs: tuple[Path, ...] = argument(
        "INPUT", default=(), help="Recordings, folders, patterns, or - for a WAV file on standard input."
    )
    query: tuple[str, ...] = option(
        "--query", "-q", default=(), help="What to separate: -q 'a dog barking'. Repeatable."
    )
    queries: Path | None = option("--queries", default=None, help="File of queries, one per line: --queries sounds.txt")
    like: tuple[Path, ...] = option(
        "--like",
        default=(),
        help="A recording of the sound, or a folder of several: --like my_dog.wav. Repeatable.",
    )
    spans: str | None = option(
        "--spans", default=None, help="Seconds at which the target occurs in the input: --spans 3.2-4.0,6-7"
    )
    without: tuple[str, ...] = option(
        "--not",
        default=(),
        help="What to keep out of the targets: -q speech --not wind. Alone: the input without it. Repeatable.",
    )
    list: Path | None = option("--list", default=None, help="File of lines: path, TAB, query, TAB, output name.")
    output: Path = option("--output", "-o", help="Folder of the targets, or - for standard output.")
    residual: bool = option("--residual", default=False, help="Also write the input minus all targets.")
    consistent: bool = option(
        "--consistent",
        default=False,
        help="Assign each sound to one target only: the targets sum to at most the input.",
    )
    silence_if_absent: float | None = option(
        "--silence-if-absent",
        default=None,
        help="Write silence for targets whose presence (0 to 1) is lower: --silence-if-absent 0.5",
    )
    subtype: str | None = option(
        "--subtype", default=None, shown="the input's", help="Sample format, such as PCM_16 or FLOAT."
    )
    clip: Clipping = option(
        "--clip", default="limit", help="Above full scale: limit samples, scale all outputs, or error."
    )
    highband: Highband | None = option(
        "--highband",
        default=None,
        shown="residual; target for --not alone",
        help="Where frequencies above the model's band go: residual, target or drop.",
    )

    def __post_init__(self) -> None:
        valid = self.silence_if_absent is None or 0.0 <= self.silence_if_absent <= 1.0
        check_field(self, "silence_if_absent", valid, "a score from 0 to 1, such as 0.5")
