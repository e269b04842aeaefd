"""Options of ``separate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import argument, option, required
from dplass_cli.options.model_options import SeparatorOptions
from dplass_cli.options.tag_options import threshold_option

Clipping = Literal["limit", "scale", "error"]
Highband = Literal["residual", "target", "drop"]
FileFormat = Literal["wav", "flac", "ogg", "opus", "mp3", "m4a"]

QUERIES, FILES = "Other queries", "Files"  # panels of the help page


@dataclass(frozen=True, kw_only=True)
class SeparateOptions(SeparatorOptions):
    """Options of ``separate``."""

    inputs: tuple[Path, ...] = argument(
        "INPUT", "Recordings, folders, patterns, or - for a recording on standard input.", ()
    )
    query: tuple[str, ...] = option(
        (),
        "What to separate: -q 'a dog barking', a wish: -q 'remove the wind', or the sounds that are found: -q auto."
        " Repeatable.",
        also="-q",
    )
    output: Path = required(
        "Folder of the targets, the file of a single target, such as dog.mp3, or - for standard output.", also="-o"
    )
    without: tuple[str, ...] = option(
        (),
        "What to keep out of the targets: -q speech --not wind. Alone: the input without it. Repeatable.",
        "--not",
        also="--remove",
    )
    reduce: dict[str, float] = option({}, "What to turn down in the input, in dB: --reduce wind=12. Repeatable.")
    residual: bool = option(False, "Also write the input minus all targets.")
    like: tuple[Path, ...] = option(
        (), "A recording of the sound, or a folder of several: --like my_dog.wav. Repeatable.", panel=QUERIES
    )
    spans: str | None = option(
        None, "Seconds at which the target occurs in the input: --spans 3.2-4.0,6-7", panel=QUERIES
    )
    queries: Path | None = option(None, "File of queries, one per line: --queries sounds.txt", panel=QUERIES)
    list: Path | None = option(None, "File of lines: path, TAB, query, TAB, output name.", panel=QUERIES)
    consistent: bool = option(
        False, "Assign each sound to one target only: the targets sum to at most the input.", panel=QUERIES
    )
    threshold: float = threshold_option(
        "For --query auto: the lowest probability of a sound that is found.", panel=QUERIES
    )
    silence_if_absent: float | None = option(
        None,
        "Write silence for targets whose presence (0 to 1) is lower: --silence-if-absent 0.5",
        panel=QUERIES,
        least=0,
        most=1,
        expected="a score from 0 to 1, such as 0.5",
    )
    list_sounds: bool = option(False, "Only list the sounds that the encoder knows: dplass sounds.", panel=QUERIES)
    force: bool = option(False, "Also separate what the encoder does not know.", panel=QUERIES)
    name: str = option("{stem}_{query}", "Name of the files: {stem} of the recording, {query}.", panel=FILES)
    format: FileFormat | None = option(
        None,
        "File format: wav, flac, ogg, opus, mp3 or m4a.",
        shown="the input's where it can be written, or wav",
        panel=FILES,
    )
    bitrate: int | None = option(None, "Bitrate of opus, mp3 or m4a in kbit/s: --bitrate 192", panel=FILES, least=1)
    subtype: str | None = option(None, "Sample format, such as PCM_16 or FLOAT.", shown="the input's", panel=FILES)
    overwrite: bool = option(False, "Replace files that exist.", panel=FILES)
    skip_existing: bool = option(False, "Leave out recordings whose targets all exist.", panel=FILES)
    video: bool = option(
        False, "The input is a video: write videos with its pictures and the targets as their sound.", panel=FILES
    )
    track: int = option(
        1, "Which audio track of a video or another file with several, from 1 on.", panel=FILES, least=1
    )
    mix: float = option(
        1.0,
        "Share of the result in the output; the rest is the input: --mix 0.8",
        panel=FILES,
        least=0,
        most=1,
        expected="a share from 0 to 1, such as 0.8",
    )
    clip: Clipping = option("limit", "Above full scale: limit samples, scale all outputs, or error.", panel=FILES)
    highband: Highband | None = option(
        None,
        "Where frequencies above the model's band go: residual, target or drop.",
        shown="residual; target for --not alone",
        panel=FILES,
    )
