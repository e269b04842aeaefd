"""The files of a separated recording: names, sample format, what is over full scale, what is above the model's band."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from dplass_cli.audio.reading import Audio, AudioInfo
from dplass_cli.audio.streaming import even_blocks, read_blocks
from dplass_cli.audio.writing import audio_writer, container_of, default_subtype
from dplass_cli.errors import InputError, RunError
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.presence import Presence
from dplass_cli.storage import scratch_folder

Clip = Literal["limit", "scale", "error"]
Highband = Literal["residual", "target", "drop"]

RESIDUAL = "residual"
_WRITTEN = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg"}
_WHOLE = ("FLOAT", "DOUBLE")  # sample formats that hold what is over full scale
_CEILING = 0.999
_COPIED_AT_ONCE = 1 << 20
_LONGEST_PART, _LONGEST_NAME = 60, 255  # bytes; the second is what file systems take


@dataclass(frozen=True)
class Output:
    """How targets are written.

    Attributes:
        residual: also write the input less all targets.
        subtype: sample format; default the input's.
        clip: what happens to samples over full scale, where the format does not hold them: ``limit`` each, ``scale``
            all outputs of the recording by one factor, or make it an ``error``.
        highband: where what lies above the model's band goes: into the ``residual``, into every ``target``, or nowhere.
    """

    residual: bool = False
    subtype: str | None = None
    clip: Clip = "limit"
    highband: Highband = "residual"

    def __post_init__(self) -> None:
        for name, words in (("clip", get_args(Clip)), ("highband", get_args(Highband))):
            if getattr(self, name) not in words:
                raise InputError(f"--{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Separated:
    """One written target.

    Attributes:
        query: the sentence or the query's name, or ``residual``. path: the written file.
        adapter: the adapter that served it, or the weights of several; None for the base.
        clipped: samples that the sample format of the file could not hold and that were limited to full scale.
        gain_db: by what all outputs of the recording were scaled, dB.
        presence: whether the recording holds it; None for what is left over.
        silenced: it was made silence, since it is absent.
    """

    query: str
    path: Path
    adapter: Activation
    clipped: int
    gain_db: float = 0.0
    presence: Presence | None = None
    silenced: bool = False


class Targets:
    """Takes the targets of one recording block by block; made by :func:`open_targets`.

    Attributes:
        clipped: {query: samples that were limited}. gain: by which everything was scaled.
        silenced: queries whose targets are to be silence; to be said before the end.
    """

    def __init__(self, paths: Mapping[str, Path], output: Output, holds_more: bool, drafting: bool) -> None:
        self._paths, self._output, self._holds_more, self._drafting = paths, output, holds_more, drafting
        self.writers: dict[str, Callable[[Audio], None]] = {}
        self.clipped = dict.fromkeys(paths, 0)
        self.gain = 1.0
        self.silenced: set[str] = set()

    def write(self, recording: Audio, targets: Audio, high: Audio | None) -> None:
        """Write one block.

        Args:
            recording: float32 (C, n). targets: float32 (Q, C, n).
            high: what of the recording lies above the model's band, float32 (C, n); None where nothing does.

        Raises:
            RunError: samples are over full scale, and that was to be an error.
        """
        rest = recording - targets.sum(axis=0)
        if high is not None and self._output.highband != "residual":
            rest = rest - high
            targets = targets + high if self._output.highband == "target" else targets
        blocks = dict(zip(self._paths, [*targets, *([rest] if self._output.residual else [])], strict=True))
        for query, block in blocks.items():
            self.writers[query](block if self._drafting else self.fitted(query, block))

    def fitted(self, query: str, block: Audio) -> Audio:
        """A block for the sample format of the file: scaled, and limited where that ends at full scale."""
        block = block * np.float32(self.gain) if self.gain != 1.0 else block
        peak = float(np.abs(block).max(initial=0.0))
        if self._holds_more or peak <= 1.0:
            return block
        if self._output.clip == "error":
            raise RunError(
                f"{self._paths[query]}: {20 * np.log10(peak):.1f} dB over full scale; take --clip limit or scale, or a"
                " sample format that holds it (--subtype FLOAT)"
            )
        self.clipped[query] += int(np.count_nonzero(np.abs(block) > 1.0))
        return block.clip(-1.0, 1.0)


@contextlib.contextmanager
def open_targets(
    paths: Mapping[str, Path], info: AudioInfo, output: Output, silencing: bool = False
) -> Iterator[Targets]:
    """Open files to write targets to; they are there when the context ends without an error.

    Where all may have to be scaled, or some silenced, they are drafts in float until that is known.

    Args:
        paths: {query: file}. info: of the recording.
        silencing: targets may be silenced at the end.

    Raises:
        InputError: the container does not take the sample format.
        RunError: the disk is full, or as :meth:`Targets.write`.
    """
    subtype = subtype_of(info, output)
    scaling = output.clip == "scale" and subtype not in _WHOLE
    targets = Targets(paths, output, subtype in _WHOLE, scaling or silencing)
    if not (scaling or silencing):
        with _writers(paths, info, subtype) as targets.writers:
            yield targets
        return
    first = next(iter(paths.values()))
    container_of(first, subtype, info.sample_rate, info.channels)  # said before the work
    with scratch_folder(first.with_name(f".drafts-{zlib.crc32(first.name.encode()):08x}")) as folder:
        drafts = {query: folder / f"{number}.wav" for number, query in enumerate(paths)}
        with _writers(drafts, info, "FLOAT") as targets.writers:
            yield targets
        if scaling:
            blocks = (block for made in _finished(drafts, info, targets.silenced) for block in made.values())
            targets.gain = _CEILING / max(_CEILING, *(float(np.abs(block).max(initial=0.0)) for block in blocks))
        with _writers(paths, info, subtype) as writers:
            for made in _finished(drafts, info, targets.silenced):
                for query, block in made.items():
                    writers[query](targets.fitted(query, block))


@contextlib.contextmanager
def _writers(paths: Mapping[str, Path], info: AudioInfo, subtype: str) -> Iterator[dict[str, Callable[[Audio], None]]]:
    with contextlib.ExitStack() as stack:
        yield {
            query: stack.enter_context(audio_writer(path, info.sample_rate, info.channels, subtype, info.frames))
            for query, path in paths.items()
        }


def _finished(drafts: Mapping[str, Path], info: AudioInfo, silenced: Collection[str]) -> Iterator[dict[str, Audio]]:
    """The blocks of all outputs: what is silenced goes into the residual."""
    sizes = even_blocks(info.frames, _COPIED_AT_ONCE)
    for blocks in zip(*(read_blocks(draft, sizes) for draft in drafts.values()), strict=True):
        made = dict(zip(drafts, blocks, strict=True))
        if RESIDUAL in made:
            made[RESIDUAL] = sum((made[query] for query in silenced), start=made[RESIDUAL])
        yield made | {query: np.zeros_like(made[query]) for query in silenced}


def suffix_of(info: AudioInfo) -> str:
    """The suffix of outputs: the recording's container where it can be written, else ``.wav``."""
    return _WRITTEN.get(info.format, ".wav")


def subtype_of(info: AudioInfo, output: Output) -> str:
    """The sample format of outputs."""
    return output.subtype or default_subtype(suffix_of(info)[1:].upper(), info.subtype, info.sample_rate, info.channels)


def target_paths(
    info: AudioInfo, folder: Path, name: str, queries: Sequence[str], taken: Collection[Path]
) -> dict[str, Path]:
    """Where each query's target goes: ``{name}_{query}`` in the container of the recording.

    Args:
        taken: resolved paths that none may have: inputs, and outputs of other recordings.

    Raises:
        InputError: one would overwrite such a file.
    """
    ends = {query: f"_{part}{suffix_of(info)}" for query, part in name_parts(queries).items()}
    stem = _cut(name, _LONGEST_NAME - max(len(end.encode()) for end in ends.values()))
    paths = {query: folder / f"{stem}{end}" for query, end in ends.items()}
    for path in paths.values():
        if path.resolve() in taken:
            raise InputError(f"{path}: would overwrite an input or another output; choose another --output")
    return paths


def _cut(name: str, size: int) -> str:
    """A name that takes no more than ``size`` bytes; one that is cut ends with a checksum, to differ from others."""
    if len(name.encode()) <= size:
        return name
    end = f"~{zlib.crc32(name.encode()):08x}"
    return name.encode()[: size - len(end)].decode(errors="ignore") + end


def name_parts(queries: Sequence[str]) -> dict[str, str]:
    """A part of a file name for each query: letters, digits and underscores, no two alike."""
    names: dict[str, str] = {}
    for query in queries:
        plain = re.sub(r"\W+", "_", query).strip("_") or "query"
        name = stem = plain.encode()[:_LONGEST_PART].decode(errors="ignore")
        count = 2
        while name.lower() in {other.lower() for other in names.values()}:
            name = f"{stem}_{count}"
            count += 1
        names[query] = name
    return names
