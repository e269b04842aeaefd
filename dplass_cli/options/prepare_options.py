"""Options of ``prepare``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dplass_cli.errors import InputError, nearest

Captions = Literal["single", "each", "joined", "file"]


Check = Literal["none", "header", "decode"]


FORM = re.compile(r"(\d+(?:\.\d+)?)k-mono-(flac|wav)")


@dataclass(frozen=True)
class ClipLimits:
    """What a clip must have to be used; the last two are found by decoding.

    Attributes:
        min_seconds: shorter clips, or ranges of files, are "too short".
        min_rate: clips of a lower sample rate, in Hz, are "low sample rate".
        min_peak_db: clips whose largest sample is below this (dB of full scale) are "silent".
        max_clipped: clips with a larger share of samples at full scale, counted as twice that of the end (the highest
            or the lowest value) which is hit less, are "clipped": an offset is no clipping.
    """

    min_seconds: float = 0.0
    min_rate: int = 0
    min_peak_db: float = -90.0
    max_clipped: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.max_clipped <= 1:
            raise ValueError(f"max_clipped must be a share between 0 and 1, not {self.max_clipped}")


@dataclass(frozen=True)
class Selection:
    """How candidates are checked and chosen.

    Attributes:
        check: how much of each clip is tested: nothing, its header, or every sample.
        limits: what a clip must have.
        max_missing: the share of clips without a file above which preparing stops.
        max_per_class: at most so many rows a class; clips of rare classes are taken first.
        clean: correct captions; the files read are never changed.
        corrections: a table of corrections in place of the shipped one.
        convert: keep a copy of each clip that is cheap to read, such as ``32k-mono-flac``. With the extra ``download``
            this makes m4a usable, too.
        convert_dir: the folder of these copies; by default one beside the manifest.
        report: an HTML page to write, about the classes and the reasons.
    """

    check: Check = "header"
    limits: ClipLimits = field(default_factory=ClipLimits)
    max_missing: float = 0.5
    max_per_class: int | None = None
    clean: bool = False
    corrections: Path | None = None
    convert: str | None = None
    convert_dir: Path | None = None
    report: Path | None = None

    def __post_init__(self) -> None:
        if self.check not in get_args(Check):
            raise InputError(f"check: no such choice {self.check!r}{nearest(self.check, get_args(Check))}")
        if not 0 <= self.max_missing <= 1:
            raise InputError(f"max_missing: expected a share between 0 and 1, not {self.max_missing}")
        if self.max_per_class is not None and self.max_per_class < 1:
            raise InputError(f"max_per_class must be at least 1, not {self.max_per_class}")
        if self.convert is not None:
            check_form(self.convert)


@dataclass(frozen=True)
class CorpusOptions(Selection):
    """What to prepare; and how it is checked and chosen, as :class:`~dplass_cli.options.prepare_options.Selection`.

    Attributes:
        kind: a corpus of :data:`~dplass_cli.data.prepare.corpora.CORPORA`.
        folder: where it lies.
        output: the manifest to write; ``NAME-rejects.csv`` goes beside it.
        table: its lists, where they are not found below the folder.
        audio_dir: folders with its clips; by default ``folder``, else the lists' folders.
        split: the part of it, by its list's name, its folders, or its column ``split``; some corpora have a default.
        where: {column: values}; only lines with one of the values are used (values separated by commas).
        column: {"caption" (one or several, with commas), "wav", "id", "labels", "start" or "end": the table's column}.
        captions: of clips with several classes, as for AudioSet: "single", "each" or "joined".
        name_pattern: how clips of videos are named, such as ``{id}_{start:06.0f}``.
        file_list: a text file with the clips' paths, one a line; it spares reading the folders.
    """

    kind: str = field(kw_only=True)
    output: Path = field(kw_only=True)
    folder: Path | None = None
    table: tuple[Path, ...] = ()
    audio_dir: tuple[Path, ...] = ()
    split: str | None = None
    where: dict[str, str] = field(default_factory=dict)
    column: dict[str, str] = field(default_factory=dict)
    captions: Captions = "each"
    name_pattern: str = ""
    file_list: Path | None = None


@dataclass(frozen=True)
class MergeOptions:
    """Manifests to make one of.

    Attributes:
        manifests: the sources.
        output: the manifest to write.
        share: of each source, how many rows a row of the first; by default all rows of each.
        seed: of the choice of rows.
    """

    manifests: tuple[Path, ...] = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    share: tuple[float, ...] = ()
    seed: int = 42


def check_form(form: str) -> tuple[int, str]:
    """Return (sample rate in Hz, suffix) of a form such as ``32k-mono-flac``.

    Raises:
        InputError: not such a form.
    """
    match = FORM.fullmatch(form)
    if match is None or not float(match[1]):
        raise InputError(f"--convert {form}: expected a rate, mono and flac or wav, such as 32k-mono-flac")
    return round(float(match[1]) * 1000), f".{match[2]}"
