"""Rebuild the clips of one package."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from dplass_cli.audio.resampling import resample
from tiny_models.corpus.archives import read_member
from tiny_models.corpus.comparing import correlate, correlate_takes, is_alike
from tiny_models.corpus.making import (
    SHORTEST,
    Audio,
    certain_parts,
    cut_music,
    cut_parts,
    decode,
    join_prompts,
    join_repeats,
    set_level,
    trim,
    write_clip,
)
from tiny_models.corpus.packages import GoneError, unpacked
from tiny_models.corpus.reports import Outcome, Status
from tiny_models.corpus.sources import Source
from tiny_models.corpus.synthesizers import render_phrase, speak

Read = Callable[[Source, str], bytes]  # a row and one of its takes -> an audio file


@dataclass(frozen=True)
class Made:
    """A clip made by the rules.

    Attributes:
        audio: the clip.
        rate: its sample rate.
        takes: the takes of a sequence, as far as they are in it; empty if the clip isn't one.
    """

    audio: Audio
    rate: int
    takes: Sequence[Audio] = ()


def rebuild_package(rows: Sequence[Source], audio: Path, cache: Path, corpus: Path | None) -> list[Outcome]:
    """Write the clips of one package, and compare them with existing ones.

    Args:
        rows: its rows of the table of sources.
        audio: folder of the rebuilt clips.
        cache: folder of downloads.
        corpus: folder whose ``audio/`` has the existing clips; None: don't compare.
    """
    package = rows[0]
    try:
        with unpacked(package.registry, package.package, package.version, cache) as found:

            def read(row: Source, take: str) -> bytes:
                if row.is_phrase:
                    return render_phrase(row, found.root, cache, seed_of(row))
                return speak(row, cache) if row.is_synthetic_speech else read_member(found.root, take)

            parts = Counter[str]()
            outcomes = []
            for row in rows:
                outcomes.append(_rebuild(row, parts[row.path], read, audio, corpus))
                parts[row.path] += not row.is_phrase  # two phrases may share a description
            other = package.version not in ("", found.version)
            note = f"version {package.version} is gone" if other else ""
            return [replace(each, version=found.version, note=each.note or note) for each in outcomes]
    except GoneError as error:
        return [Outcome(row.filename, row.package, Status.GONE, note=str(error)) for row in rows]


def _rebuild(row: Source, part: int, read: Read, audio: Path, corpus: Path | None) -> Outcome:
    """Write one clip, and compare it.

    Args:
        row: its row.
        part: number of the part of its recording, from 0.
        read: reads a take.
        audio: folder of the rebuilt clips.
        corpus: see :func:`rebuild_package`.
    """
    try:
        made = make_clip(row, part, read)
    except (FileNotFoundError, GoneError, ValueError) as error:
        return Outcome(row.filename, row.package, Status.GONE, note=str(error))
    write_clip(audio / row.filename, made.audio, made.rate)
    if row.is_phrase:
        return Outcome(row.filename, row.package, Status.RENDERED)
    if corpus is None:
        return Outcome(row.filename, row.package, Status.REBUILT)
    existing, rate = soundfile.read(corpus / "audio" / row.filename, dtype="float32")
    if rate != made.rate:
        existing = resample(existing, rate, made.rate)
    ratio = made.audio.size / existing.size
    # Read back, so that both have lost what Vorbis discards, such as the lowest frequencies of thunder.
    rebuilt, _ = soundfile.read(audio / row.filename, dtype="float32")
    correlation = correlate_takes(made.takes, existing) if made.takes else correlate(rebuilt, existing)
    status = Status.ALIKE if is_alike(ratio, correlation, bool(made.takes)) else Status.DIFFERENT
    return Outcome(row.filename, row.package, status, round(ratio, 4), round(correlation, 4))


def make_clip(row: Source, part: int, read: Read) -> Made:
    """Make a clip by the rules.

    Args:
        row: its row.
        part: number of the part of its recording, from 0.
        read: reads a take.

    Raises:
        ValueError: the recording doesn't decode, is silent, or has fewer parts.
    """
    try:
        decoded = [decode(read(row, take)) for take in row.takes]
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{row.path}: does not decode: {error.error_string}") from error
    rate = decoded[0][1]
    recordings = [each if own == rate else resample(each, own, rate) for each, own in decoded]
    takes = [trim(each, rate) for each in recordings]
    if not all(take.size for take in takes):
        raise ValueError(f"{row.path}: silent")
    random = np.random.default_rng(seed_of(row))
    if row.recording.startswith("speaker:"):
        sequence = certain_parts(takes, rate) if len(takes) > 1 else ()
        return Made(join_prompts(takes, rate, random), rate, sequence)
    if len(takes) > 1 or takes[0].size < SHORTEST * rate:
        return Made(set_level(join_repeats(takes, rate, random)), rate, certain_parts(takes, rate))
    parts = cut_music(recordings[0], rate) if row.is_music else cut_parts(takes[0], rate)
    if part >= len(parts):
        raise ValueError(f"{row.path}: only {len(parts)} parts; part {part + 1} was expected")
    return Made(set_level(parts[part] - parts[part].mean()), rate)


def seed_of(row: Source) -> int:
    """A seed that stays the same for a clip."""
    return zlib.crc32(row.filename.encode())
