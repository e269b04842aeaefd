"""Options of ``prepare``, and those that it shares with ``prepare-audioset``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.declaration import argument, check_field, option, section

ClassCaptions = Literal["single", "each", "joined"]
Captions = Literal[ClassCaptions, "file"]
Check = Literal["none", "header", "decode"]

FORM = re.compile(r"(\d+(?:\.\d+)?)k-mono-(flac|wav)")
"""Names of the forms that clips can be converted to."""


@dataclass(frozen=True)
class ClipLimits:
    """What a clip must have to be used; the last two are found by decoding."""

    min_seconds: float = option(default=0.0, help='Shorter clips, or ranges of files, are rejected as "too short".')
    min_rate: int = option(default=0, help='Clips of a lower sample rate in Hz are rejected as "low sample rate".')
    min_peak_db: float = option(
        default=-90.0, help='Clips whose largest sample is below this (dB of full scale) are rejected as "silent".'
    )
    max_clipped: float = option(
        default=0.5,
        help='Clips with a larger share of samples at full scale are rejected as "clipped". The share is twice that of'
        " the end (highest or lowest value) that is hit less, so that an offset does not count as clipping.",
    )

    def __post_init__(self) -> None:
        check_field(self, "max_clipped", 0 <= self.max_clipped <= 1, "a share between 0 and 1")


@dataclass(frozen=True)
class ClipSelection:
    """How candidates are checked and chosen."""

    max_per_class: int | None = option(
        "--max-per-class", default=None, help="Largest number of rows per class; clips of rare classes come first."
    )
    check: Check = option("--check", default="header", help="How much of each clip to test: none, header or decode.")
    limits: ClipLimits = section(ClipLimits, help="What a clip must have to be used.")
    max_missing: float = option("--max-missing", default=0.5, help="Stop if a larger share of the clips is missing.")
    clean: bool = option("--clean", default=False, help="Correct captions (see metadata/caption_corrections.yaml).")
    corrections: Path | None = option(default=None, shown="the shipped one", help="Table of corrections for --clean.")
    convert: str | None = option(
        "--convert", default=None, help="Copy the clips into a form that is fast to read: 32k-mono-flac."
    )
    convert_dir: Path | None = option(
        default=None, shown="next to the manifest", help="Folder of the copies of --convert."
    )
    report: Path | None = option("--report", default=None, help="Write an HTML page about classes and rejected clips.")

    def __post_init__(self) -> None:
        check_choice("--check", self.check, get_args(Check))
        check_field(self, "max_missing", 0 <= self.max_missing <= 1, "a share between 0 and 1")
        check_field(self, "max_per_class", self.max_per_class is None or self.max_per_class >= 1, "at least 1")
        if self.convert is not None:
            check_form(self.convert)


@dataclass(frozen=True, kw_only=True)
class CorpusOptions(ClipSelection):
    """Options of ``prepare KIND``."""

    kind: str = option(help="The corpus; the verb says it.")
    folder: Path | None = argument("FOLDER", default=None, help="Folder of the corpus.")
    output: Path = option("--output", "-o", help="The manifest to write, such as train.json.")
    table: tuple[Path, ...] = option(
        "--table", default=(), shown="found in the folder", help="List of the corpus. Repeatable."
    )
    audio_dir: tuple[Path, ...] = option(
        "--audio-dir", default=(), shown="the corpus' folder", help="Folder of clips. Repeatable."
    )
    split: str | None = option("--split", default=None, help="Part of the corpus, such as train.")
    where: dict[str, str] = option("--where", factory=dict, help="Use only lines with COLUMN=VALUE,VALUE. Repeatable.")
    column: dict[str, str] = option(
        "--column",
        factory=dict,
        help="ROLE=COLUMN: which column is wav, caption, labels, id, start or end. Repeatable.",
    )
    captions: ClassCaptions = option(
        "--captions",
        default="each",
        help="Captions of clips with several classes: single, each or joined. Written captions are a --column.",
    )
    name_pattern: str = option(
        "--name-pattern",
        default="",
        help="How clips of videos are named: {id}, {start}, {end}, {start_ms}, {end_ms}.",
    )
    file_list: Path | None = option(
        "--file-list", default=None, help="Text file with the clips' paths, one per line, instead of searching folders."
    )


@dataclass(frozen=True)
class MergeOptions:
    """Options of ``prepare merge``."""

    manifests: tuple[Path, ...] = argument("MANIFEST", help="Manifests to merge.")
    output: Path = option("--output", "-o", help="The manifest to write, such as train.json.")
    share: tuple[float, ...] = option(
        "--share",
        default=(),
        shown="all rows of each",
        help="Rows of each manifest per row of the first, in their order. Repeatable.",
    )
    seed: int = option("--seed", default=42, help="Seed of the choice of rows.")


def check_form(form: str) -> tuple[int, str]:
    """Return (sample rate in Hz, suffix) of a form such as ``32k-mono-flac``.

    Raises:
        InputError: not such a form.
    """
    match = FORM.fullmatch(form)
    if match is None or not float(match[1]):
        raise InputError(f"--convert {form}: expected a rate, mono and flac or wav, such as 32k-mono-flac")
    return round(float(match[1]) * 1000), f".{match[2]}"
