"""Options of ``prepare``, and those that it shares with ``prepare-audioset``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError, InvalidValue
from dplass_cli.options.declaration import Options, argument, option, required, section, setting
from dplass_cli.options.sizes import bytes_of

ClassCaptions = Literal["single", "each", "joined"]
Captions = Literal[ClassCaptions, "file"]
Check = Literal["none", "header", "decode"]

FORM = re.compile(r"(\d+(?:\.\d+)?)k-mono-(flac|wav)")
"""Names of the forms that clips can be converted to."""


@dataclass(frozen=True)
class ClipLimits(Options):
    """What a clip must have to be used; the last two are found by decoding."""

    min_seconds: float = setting(0.0, 'Shorter clips, or ranges of files, are rejected as "too short".')
    min_rate: int = setting(0, 'Clips of a lower sample rate in Hz are rejected as "low sample rate".')
    min_peak_db: float = setting(
        -90.0, 'Clips whose largest sample is below this (dB of full scale) are rejected as "silent".'
    )
    max_clipped: float = setting(
        0.5,
        'Clips with a larger share of samples at full scale are rejected as "clipped". The share is twice that of'
        " the end (highest or lowest value) that is hit less, so that an offset does not count as clipping.",
        least=0,
        most=1,
    )


@dataclass(frozen=True)
class WindowSettings(Options):
    """How windows of clips are compared with captions."""

    encoder: str = setting("tiny", "Query encoder: tiny, minilm (extra), source-names or a file.", named=True)
    tokenizer: Path | None = setting(None, "Folder of the tokenizer, for a CLAP encoder.")
    device: str = setting("auto", "auto, cpu, cuda, cuda:N or mps.")
    window_seconds: float = setting(2.0, "Length of a window in seconds.", least=0.1)
    cache: Path | None = setting(None, "Folder of embeddings of windows to use and to keep.", shown="none")


@dataclass(frozen=True)
class PuritySettings(WindowSettings):
    """How ``--min-purity`` scores clips: the share of windows whose sound is similar to the caption."""

    similarity: float = setting(
        0.25, "Cosine similarity of a window and the caption from which the caption holds.", least=-1, most=1
    )
    weight: bool = setting(
        False, "Write each clip's purity as its sampling_weight: training draws it that much less often."
    )


@dataclass(frozen=True)
class ClipSelection(Options):
    """How candidates are checked and chosen."""

    max_per_class: int | None = option(
        None, "Largest number of rows per class; clips of rare classes come first.", least=1
    )
    check: Check = option("header", "How much of each clip to test: none, header or decode.")
    limits: ClipLimits = section(ClipLimits, "What a clip must have to be used.")
    max_missing: float = option(0.5, "Stop if a larger share of the clips is missing.", least=0, most=1)
    min_purity: float | None = option(
        None,
        "Reject clips whose caption holds in a smaller share of their sound, 0 to 1 (see purity).",
        least=0,
        most=1,
    )
    purity: PuritySettings = section(PuritySettings, "How --min-purity scores clips.")
    clean: bool = option(False, "Correct captions (see metadata/caption_corrections.yaml).")
    corrections: Path | None = setting(None, "Table of corrections for --clean.", shown="the shipped one")
    convert: str | None = option(None, "Copy the clips into a form that is fast to read: 32k-mono-flac.")
    convert_dir: Path | None = setting(None, "Folder of the copies of --convert.", shown="next to the manifest")
    report: Path | None = option(None, "Write an HTML page about classes and rejected clips.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.convert is not None:
            check_form(self.convert)


@dataclass(frozen=True, kw_only=True)
class CorpusOptions(ClipSelection):
    """Options of ``prepare KIND``."""

    kind: str = required("The corpus; the verb says it.", flag=None)
    folder: Path | None = argument("FOLDER", "Folder of the corpus.", None)
    output: Path = required("The manifest to write, such as train.json.", also="-o")
    table: tuple[Path, ...] = option((), "List of the corpus. Repeatable.", shown="found in the folder")
    audio_dir: tuple[Path, ...] = option((), "Folder of clips. Repeatable.", shown="the corpus' folder")
    split: str | None = option(None, "Part of the corpus, such as train.")
    where: dict[str, str] = option({}, "Use only lines with COLUMN=VALUE,VALUE. Repeatable.")
    column: dict[str, str] = option(
        {}, "ROLE=COLUMN: which column is wav, caption, labels, id, start or end. Repeatable."
    )
    captions: ClassCaptions = option(
        "each", "Captions of clips with several classes: single, each or joined. Written captions are a --column."
    )
    name_pattern: str = option("", "How clips of videos are named: {id}, {start}, {end}, {start_ms}, {end_ms}.")
    file_list: Path | None = option(
        None, "Text file with the clips' paths, one per line, instead of searching folders."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folder is None and not self.table:
            raise InputError("no corpus; give its folder, or its list with --table")


@dataclass(frozen=True)
class MergeOptions(Options):
    """Options of ``prepare merge``."""

    manifests: tuple[Path, ...] = argument("MANIFEST", "Manifests to merge.")
    output: Path = required("The manifest to write, such as train.json.", also="-o")
    share: tuple[float, ...] = option(
        (), "Rows of each manifest per row of the first, in their order. Repeatable.", shown="all rows of each"
    )
    seed: int = option(42, "Seed of the choice of rows.")


@dataclass(frozen=True)
class ShardsOptions(Options):
    """Options of ``prepare shards``."""

    manifest: Path = argument("MANIFEST", "The manifest of the clips.")
    output: Path = required("Folder of the shards, or an address such as s3://bucket/folder.", also="-o")
    size: str = option("1GB", "Size at which a shard is closed and the next one begun: 500MB, 1GB.")
    convert: str = option("32k-mono-flac", "Form of the clips: rate, mono, and flac or wav.")
    seed: int = option(42, "Seed of the order of the clips in the shards.")
    verify: bool = option(False, "Hash the shards that exist, and write damaged ones again.")
    max_missing: float = option(0.5, "Stop if a larger share of the clips cannot be read.", least=0, most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_form(self.convert)
        bytes_of(self.size, "--size")


@dataclass(frozen=True)
class MixturesOptions(Options):
    """Options of ``prepare mixtures``."""

    manifest: Path = argument("MANIFEST", "The manifest of the clips.")
    output: Path = required("The table to write, such as mixtures.csv.", also="-o")
    count: int = option(500, "Number of mixtures.", least=1)
    snr: tuple[float, ...] = option(
        (0.0, 0.0), "Lowest and highest energy ratio of target and noise in dB: --snr=-5,5", split=True
    )
    sources: tuple[int, ...] = option((2,), "How many sources a mixture has; several numbers take turns.", split=True)
    seed: int = option(42, "Seed of the draw.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sources or not all(2 <= number <= 10 for number in self.sources):
            raise InvalidValue("--sources", ",".join(map(str, self.sources)), "numbers from 2 to 10, such as 2,3")
        given = ",".join(f"{value:g}" for value in self.snr)
        if len(self.snr) != 2 or not -100.0 <= self.snr[0] <= self.snr[1] <= 100.0:
            raise InputError(f"--snr {given}: expected the lowest and the highest ratio in dB, such as -5,5")


@dataclass(frozen=True)
class GenerateOptions(Options):
    """Options of ``prepare generate``."""

    captions: Path = argument("CAPTIONS", "Text file: one caption per line, or caption<TAB>name.")
    model: str = required("Pipeline of AudioLDM's family: a folder, or a repository such as cvssp/audioldm2.")
    output: Path = required("Folder of the clips and their manifest.json.", also="-o")
    per_caption: int = option(1, "Clips per caption, 1 to 5.", least=1, most=5)
    seed: int = option(42, "Seed; that of a clip also depends on the caption's place and the clip's number.", least=0)
    steps: int | None = option(None, "Denoising steps.", shown="the pipeline's", least=1)
    guidance: float | None = option(
        None, "Scale of the guidance by the caption; up to 1: none.", shown="the pipeline's", least=0
    )
    seconds: float | None = option(None, "Length of a clip.", shown="the pipeline's", above=0, most=600)
    batch_size: int = option(4, "Clips that are generated together.", least=1)
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
    min_similarity: float | None = option(
        None,
        "Reject clips with a smaller cosine similarity of caption and sound, averaged over windows.",
        least=-1,
        most=1,
    )
    similarity: WindowSettings = section(WindowSettings, "How --min-similarity scores clips.")


def check_form(form: str) -> tuple[int, str]:
    """Return (sample rate in Hz, suffix) of a form such as ``32k-mono-flac``.

    Raises:
        InputError: not such a form.
    """
    match = FORM.fullmatch(form)
    if match is None or not float(match[1]):
        raise InputError(f"--convert {form}: expected a rate, mono and flac or wav, such as 32k-mono-flac")
    return round(float(match[1]) * 1000), f".{match[2]}"
