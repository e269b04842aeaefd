"""The output files of a separation: names, sample format, clipping, and the part above the model's band."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Literal, get_args

import numpy as np

from dplass_cli.audio.encoding import ENCODINGS, encoding_of, lossy_writer
from dplass_cli.audio.metadata import Metadata
from dplass_cli.audio.reading import Audio, AudioInfo, audio_info, read_audio
from dplass_cli.audio.video import check_video, write_video
from dplass_cli.audio.writing import NO_METADATA, audio_writer, container_of, default_subtype
from dplass_cli.errors import InputError, RunError, check_choice
from dplass_cli.file_names import longest_name, usable_name
from dplass_cli.options.separate_options import Clipping, FileFormat, Highband
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.notebook import NotebookSound, seconds_shown, sounds_html, target_note
from dplass_cli.separation.presence import Presence
from dplass_cli.storage import allow_open_files, resolved, scratch_folder, writing_to

Existing = Literal["refuse", "overwrite", "skip"]

RESIDUAL = "residual"
TEMPLATE = "{stem}_{query}"
"""The name of an output: the recording's, and that of the query."""

_WRITTEN = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg"}
_FLOATING = ("FLOAT", "DOUBLE")  # sample formats that represent samples above full scale
_CEILING = 0.999
_FILES_PER_TARGET = 2  # the file, and the lock on its temporary name
_LONGEST_PART, _SHORTEST_STEM = 60, 20  # bytes


@dataclass(frozen=True)
class Output:
    """How targets are written.

    Attributes:
        residual: also write the input minus all targets; removals, which contain it, count only where all targets are.
        subtype: sample format; default: the input's.
        clip: what to do with samples above full scale that the format cannot represent: ``limit`` each, ``scale`` all
            outputs of the recording by one factor, or raise an ``error``.
        highband: where the part above the model's band goes: into the ``residual`` (and into removals that are not the
            only targets), into every ``target``, or nowhere (``drop``).
        mix: share of a target in its file; the rest is the recording.
        format: file format; default: the input's where it can be written, otherwise wav.
        bitrate: of opus, mp3 and m4a, kbit/s; default: by the number of channels.
        video: the recording, a video whose pictures the files get too; default: sound only.
        track: which audio track of the video is separated, from 0 on.
        existing: what to do where a file exists: ``refuse``, ``overwrite`` it, or ``skip`` the recording if all exist.
    """

    residual: bool = False
    subtype: str | None = None
    clip: Clipping = "limit"
    highband: Highband = "residual"
    mix: float = 1.0
    format: FileFormat | None = None
    bitrate: int | None = None
    existing: Existing = "overwrite"
    video: Path | None = None
    track: int = 0

    def __post_init__(self) -> None:
        check_choice("--clip", self.clip, get_args(Clipping))
        check_choice("--highband", self.highband, get_args(Highband))

    def is_skipped(self, paths: Collection[Path]) -> bool:
        """Whether a recording with these outputs is skipped; InputError if one exists that must not be replaced."""
        found = [path for path in paths if path.exists()]
        if found and self.existing == "refuse":
            raise InputError(f"{found[0]}: exists; use --overwrite, --skip-existing or another --output")
        return self.existing == "skip" and len(found) == len(paths)


@dataclass(frozen=True)
class Separated:
    """One written target.

    Attributes:
        query: the sentence, the query's name, or ``residual``.
        path: the written file.
        adapter: the adapter that served it, or the weights of several; None for the base.
        clipped: number of samples that the sample format cannot represent and that were limited to full scale.
        gain_db: gain applied to all outputs of the recording, dB.
        presence: whether the recording contains the target; None for the residual.
        silenced: replaced by silence because the target is absent.
    """

    query: str
    path: Path
    adapter: Activation
    clipped: int
    gain_db: float = 0.0
    presence: Presence | None = None
    silenced: bool = False

    def _repr_html_(self) -> str | None:
        """A player and a spectrogram for notebooks; None if the file is gone."""
        if not self.path.is_file():
            return None
        info = audio_info(self.path)
        audio, rate = read_audio(self.path, 0.0, seconds_shown(1, info.channels, info.sample_rate))
        return sounds_html(
            [NotebookSound(self.query, audio, target_note(self.adapter, self.presence))], rate, info.seconds
        )


class Targets:
    """Writes the targets of one recording block by block; created by :func:`open_targets`.

    Attributes:
        clipped: {query: number of samples that were limited}.
        gain: factor applied to all outputs.
        silenced: queries whose targets become silence; to be set before the context ends.
        drafts: what blocks are written to; None if it is the files.
    """

    def __init__(
        self, paths: Mapping[str, Path], output: Output, holds_more: bool, removals: Set[str] = frozenset()
    ) -> None:
        self._paths, self._output, self._holds_more = paths, output, holds_more
        self.drafts: Drafts | None = None
        names = [name for name in paths if name != RESIDUAL]
        # A removal is the recording without a sound: subtracting it as well would subtract most of the recording twice.
        self._removals = [row for row, name in enumerate(names) if name in removals and not removals >= set(names)]
        self._subtracted = [row for row in range(len(names)) if row not in self._removals]
        self.writers: dict[str, Callable[[Audio], None]] = {}
        self.clipped = dict.fromkeys(paths, 0)
        self.gain = 1.0
        self.silenced: set[str] = set()

    def write(self, recording: Audio, targets: Audio, high: Audio | None) -> None:
        """Write a block of the recording (C, n), targets (Q, C, n) and the part above the model's band (C, n), if any.

        Raises:
            RunError: samples are above full scale and ``clip`` is ``error``, or they are NaN or infinite.
        """
        subtracted = self._subtracted
        rest = recording - targets[subtracted].sum(axis=0)
        if high is not None and self._output.highband == "residual":
            targets[self._removals] += high
        elif high is not None:
            rest = rest - high
            targets = targets + high if self._output.highband == "target" else targets
        if (mix := self._output.mix) != 1.0:
            rest = recording - mix * (recording - rest) - len(subtracted) * (1.0 - mix) * recording
            targets = mix * targets + (1.0 - mix) * recording
        blocks = dict(zip(self._paths, [*targets, *([rest] if self._output.residual else [])], strict=True))
        for query, block in blocks.items():
            if not np.isfinite(block).all():  # sums of extreme samples overflow although the network's output is finite
                raise RunError(
                    f"{self._paths[query]}: samples would be NaN or infinite; check the recording for samples far above"
                    " full scale"
                )
        if self.drafts is not None:
            self.drafts.add(blocks)
            return
        for query, block in blocks.items():
            self.writers[query](self.fitted(query, block))

    def fitted(self, query: str, block: Audio) -> Audio:
        """A block as the file's sample format represents it: scaled, and limited to full scale where necessary."""
        block = block * np.float32(self.gain) if self.gain != 1.0 else block
        peak = float(np.abs(block).max(initial=0.0))
        if self._holds_more or peak <= 1.0:
            return block
        if self._output.clip == "error":
            raise RunError(
                f"{self._paths[query]}: {20 * np.log10(peak):.1f} dB above full scale; use --clip limit or scale, or"
                " --subtype FLOAT"
            )
        self.clipped[query] += int(np.count_nonzero(np.abs(block) > 1.0))
        return block.clip(-1.0, 1.0)


@contextlib.contextmanager
def open_targets(
    paths: Mapping[str, Path],
    info: AudioInfo,
    output: Output,
    silencing: bool = False,
    removals: Set[str] = frozenset(),
    metadata: Metadata = NO_METADATA,
) -> Iterator[Targets]:
    """Open the output files of a recording, {query: file}; they appear when the context ends without an error.

    Each file gets the ``metadata`` as far as its format can store it. Where the outputs may have to be scaled, or
    silenced at the end, or are more than can be open at once, drafts in float are written first; the outputs are made
    of them in groups. ``removals`` names the queries whose targets are the recording without some sounds.

    Raises:
        InputError: the container does not support the sample format.
        RunError: the disk is full, or a block cannot be written (:meth:`Targets.write`).
    """
    first = next(iter(paths.values()))
    _check_format(first, info, output)
    subtype = subtype_of(info, output)
    scaling = output.clip == "scale" and subtype not in _FLOATING
    at_once = max(1, allow_open_files(_FILES_PER_TARGET * len(paths)) // _FILES_PER_TARGET)
    targets = Targets(paths, output, subtype in _FLOATING, removals)
    if not (scaling or silencing or output.video is not None or at_once < len(paths)):
        with _writers(paths, info, subtype, output.bitrate, metadata) as targets.writers:
            yield targets
        return
    with (
        scratch_folder(first.with_name(f".drafts-{zlib.crc32(os.fsencode(first.name)):08x}")) as folder,
        Drafts(folder / "drafts.f32", list(paths), info.channels) as drafts,
    ):
        targets.drafts = drafts
        yield targets
        if scaling:
            every = (block for made in _finished(drafts, paths, targets) for block in made.values())
            targets.gain = _CEILING / max(_CEILING, *(float(np.abs(block).max(initial=0.0)) for block in every))
        if output.video is not None:
            for query, path in paths.items():
                finished = _finished(drafts, [query], targets)
                sound = (targets.fitted(query, blocks[query]) for blocks in finished)
                write_video(output.video, path, sound, info.sample_rate, info.channels, output.bitrate, output.track)
            return
        names = list(paths)
        for start in range(0, len(names), at_once):
            group = {query: paths[query] for query in names[start : start + at_once]}
            with _writers(group, info, subtype, output.bitrate, metadata) as writers:
                for made in _finished(drafts, group, targets):
                    for query, block in made.items():
                        writers[query](targets.fitted(query, block))


class Drafts:
    """Blocks of all targets in one file, until it is known how they are finished.

    Args:
        path: the file, of float32.
        names: of the targets.
        channels: C.
    """

    def __init__(self, path: Path, names: Sequence[str], channels: int) -> None:
        self._path, self._names, self._channels = path, names, channels
        self._lengths: list[int] = []
        self._file = open(path, "w+b")  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> Drafts:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def add(self, blocks: Mapping[str, Audio]) -> None:
        """Append a block, float32 (C, n), of each target (RunError: the disk is full)."""
        with writing_to(self._path):
            for name in self._names:
                self._file.write(np.ascontiguousarray(blocks[name], dtype=np.float32).data)
            self._file.flush()
        self._lengths.append(blocks[self._names[0]].shape[1])

    def blocks(self, names: Collection[str]) -> Iterator[dict[str, Audio]]:
        """The blocks of some targets, in their order."""
        places = {name: self._names.index(name) for name in names}
        start = 0
        for length in self._lengths:
            size = 4 * self._channels * length
            made: dict[str, Audio] = {}
            for name, place in places.items():
                self._file.seek(start + place * size)
                made[name] = np.frombuffer(self._file.read(size), np.float32).reshape(self._channels, length)
            yield made
            start += size * len(self._names)


@contextlib.contextmanager
def _writers(
    paths: Mapping[str, Path],
    info: AudioInfo,
    subtype: str,
    bitrate: int | None = None,
    metadata: Metadata = NO_METADATA,
) -> Iterator[dict[str, Callable[[Audio], None]]]:
    def writer(path: Path) -> contextlib.AbstractContextManager[Callable[[Audio], None]]:
        if path.suffix.lower() in ENCODINGS:
            return lossy_writer(path, info.sample_rate, info.channels, bitrate, metadata.ffmpeg_tags)
        return audio_writer(path, info.sample_rate, info.channels, subtype, info.frames, metadata)

    with contextlib.ExitStack() as stack:
        yield {query: stack.enter_context(writer(path)) for query, path in paths.items()}


def _check_format(path: Path, info: AudioInfo, output: Output) -> None:
    """Fail before the work if outputs like this one cannot be written (InputError)."""
    if output.video is not None:
        check_video(output.video, info.channels, output.bitrate)
        if output.subtype or output.format:
            raise InputError("--video: writes videos of the input's format; leave out --format and --subtype")
        return
    if path.suffix.lower() in ENCODINGS:
        encoding_of(path, info.channels, output.bitrate)
        if output.subtype:
            raise InputError(f"--subtype {output.subtype}: {path.suffix} has none; use --format wav or flac")
        return
    if output.bitrate is not None:
        raise InputError(f"--bitrate {output.bitrate}: {path.suffix} has none; use --format opus, mp3 or m4a")
    container_of(path, subtype_of(info, output), info.sample_rate, info.channels)


def _finished(drafts: Drafts, names: Collection[str], targets: Targets) -> Iterator[dict[str, Audio]]:
    """The blocks of some outputs; the content of silenced targets goes into the residual."""
    silenced = targets.silenced if RESIDUAL in names else set()
    for blocks in drafts.blocks([*names, *(silenced.difference(names))]):
        made = {name: np.zeros_like(blocks[name]) if name in targets.silenced else blocks[name] for name in names}
        if RESIDUAL in made:
            made[RESIDUAL] = sum((blocks[query] for query in silenced), start=blocks[RESIDUAL])
        yield made


def suffix_of(info: AudioInfo, output: Output) -> str:
    """The suffix of outputs: the format asked for, or the recording's container if it can be written, or ``.wav``."""
    if output.video is not None:
        return output.video.suffix.lower()
    return f".{output.format}" if output.format else _WRITTEN.get(info.format, ".wav")


def subtype_of(info: AudioInfo, output: Output) -> str:
    """The sample format of outputs, as libsndfile names it; empty for lossy formats."""
    suffix = suffix_of(info, output)
    if suffix in ENCODINGS or output.video is not None:
        return ""
    return output.subtype or default_subtype(suffix[1:].upper(), info.subtype, info.sample_rate, info.channels)


def target_paths(
    folder: Path,
    name: str,
    queries: Sequence[str],
    taken: Collection[Path],
    suffix: str,
    template: str = TEMPLATE,
) -> dict[str, Path]:
    """The file of each query's target, named by a template.

    Raises:
        InputError: the template is wrong, two targets would have one name, or an output would overwrite one of the
            ``taken`` (resolved) inputs and outputs of other recordings.
    """
    check_template(template, queries)
    parts = name_parts(queries)
    fixed = max(len(os.fsencode(template.format(stem="", query=part) + suffix)) for part in parts.values())
    stem = _cut(name, max(longest_name(folder) - fixed, _SHORTEST_STEM))
    names = {query: template.format(stem=stem, query=part) + suffix for query, part in parts.items()}
    paths = {query: folder / usable_name(name) for query, name in names.items()}
    for path in paths.values():
        if resolved(path) in taken:
            raise InputError(f"{path}: would overwrite an input or another output; use another --output")
    return paths


def check_template(template: str, queries: Sequence[str]) -> None:
    """Check a template of names, such as ``{stem}_{query}``, for some queries (InputError)."""
    try:
        fields = {field for _, field, form, conversion in Formatter().parse(template) if field is not None}
        plain = template.format(stem="a", query="b")
    except (ValueError, KeyError, IndexError, AttributeError):
        fields, plain = {"?"}, ""
    if not fields <= {"stem", "query"} or not plain or "/" in plain or "\0" in plain or plain in (".", ".."):
        raise InputError(f"--name {template}: expected a file name of {{stem}} and {{query}}, such as {TEMPLATE}")
    if "query" not in fields and len(queries) > 1:
        raise InputError(f"--name {template}: {len(queries)} targets need different names; add {{query}}")


def _cut(name: str, size: int) -> str:
    """A name of at most ``size`` bytes; a name that is cut ends with a checksum to stay distinct."""
    encoded = os.fsencode(name)  # file names are bytes, which need not be UTF-8
    if len(encoded) <= size:
        return name
    end = f"~{zlib.crc32(encoded):08x}"
    return encoded[: size - len(end)].decode(errors="ignore") + end


def name_parts(queries: Sequence[str]) -> dict[str, str]:
    """A distinct part of a file name for each query: letters, digits and underscores."""
    taken: set[str] = set()
    plain = {query: re.sub(r"\W+", "_", query).strip("_") or "query" for query in queries}
    short = {query: part.encode()[:_LONGEST_PART].decode(errors="ignore") for query, part in plain.items()}
    return {query: unused_name(part, taken) for query, part in short.items()}


def unused_name(name: str, taken: set[str]) -> str:
    """The name, with the first number that makes it new where it is taken. Adds it to ``taken``.

    Case and the encoding of accents are ignored, as some file systems do.
    """
    new, count = name, 2
    while (key := unicodedata.normalize("NFC", new.casefold())) in taken:
        new, count = f"{name}_{count}", count + 1
    taken.add(key)
    return new
