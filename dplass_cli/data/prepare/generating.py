"""Generating clips from captions, with their manifest.

The folder contains a file per take, ``generated.csv`` (which take was made from which caption and seed; it is what
resuming reads), and in the end ``manifest.json`` and ``rejects.csv``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import write_items
from dplass_cli.data.prepare.caption_list import ListedCaption, read_captions
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.data.prepare.preparation import Purities
from dplass_cli.data.prepare.text_to_audio import TextToAudio, pipeline_folder, pipeline_sha256
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra
from dplass_cli.options.prepare_options import GenerateOptions
from dplass_cli.records import Records, write_rows
from dplass_cli.storage import Progress, make_folder, no_progress, text_sha256

MANIFEST, REJECTS, RECORD = "manifest.json", "rejects.csv", "generated.csv"
SOURCE = "generated"
"""The ``source`` of the rows."""

_COLUMNS = ("file", "caption", "seed")


@dataclass(frozen=True)
class GenerateResult:
    """Result of :func:`generate_clips`.

    Attributes:
        manifest: the manifest.
        captions: number of captions.
        clips: number of clips, those of earlier runs included.
        generated: number of clips that this run made.
        rows: number of rows of the manifest.
        rejected: number of clips below ``--min-similarity``; they are in ``rejects.csv``.
        sample_rate: Hz, of the clips that this run made; None if there were none to make.
    """

    manifest: Path
    captions: int
    clips: int
    generated: int
    rows: int
    rejected: int
    sample_rate: int | None


@dataclass(frozen=True)
class _Take:
    """A clip to generate: its file's name, its caption and its seed."""

    file: str
    caption: str
    seed: int

    def is_recorded(self, rows: set[tuple[str, str, str]]) -> bool:
        return (self.file, self.caption, str(self.seed)) in rows


def generate_clips(
    options: GenerateOptions, similarities: Purities | None = None, progress: Progress = no_progress
) -> GenerateResult:
    """Generate the clips of a list of captions and write their manifest; complete clips of an earlier run are kept.

    Args:
        options: of the verb.
        similarities: scores clips for ``min_similarity``; None: they are not scored.
        progress: called as work goes on.

    Raises:
        InputError: the list or the pipeline is unusable, the extra ``generate`` is not installed, or no clip is left.
        RunError: the disk is full, or the pipeline makes samples that are not finite.
    """
    captions = read_captions(options.captions)
    require_extra("generate", "prepare generate")
    folder = pipeline_folder(options.model)
    output = make_folder(options.output)
    takes = [
        _Take(caption.file_name(take), caption.caption, clip_seed(options.seed, caption, take))
        for caption in captions
        for take in range(1, options.per_caption + 1)
    ]
    generated, rate = _generate(takes, folder, options, progress)
    scores = None
    if similarities is not None:
        ranges = [SourceRange(os.path.abspath(output / take.file)) for take in takes]
        scores = similarities(ranges, [[take.caption] for take in takes], progress)
    rows = _write_lists(takes, scores, options)
    return GenerateResult(
        manifest=output / MANIFEST,
        captions=len(captions),
        clips=len(takes),
        generated=generated,
        rows=rows,
        rejected=len(takes) - rows,
        sample_rate=rate,
    )


def clip_seed(seed: int, caption: ListedCaption, take: int) -> int:
    """The seed of a take, by the seed of the run, the caption's place in the list and the take's number."""
    return int(np.random.SeedSequence((seed, caption.number, take)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _generate(
    takes: Sequence[_Take], folder: Path, options: GenerateOptions, progress: Progress
) -> tuple[int, int | None]:
    """Generate the takes that are not there yet; return how many, and their sample rate."""
    output = options.output
    depends_on = (pipeline_sha256(folder), options.steps, options.guidance, options.seconds)
    with Records(output / RECORD, _COLUMNS, text_sha256(repr(depends_on))) as record:
        recorded = {(row["file"], row["caption"], row["seed"]) for row in record.rows}
        absent = [take for take in takes if not (take.is_recorded(recorded) and (output / take.file).is_file())]
        if not absent:
            return 0, None
        pipeline = TextToAudio(folder, options.device, options.steps, options.guidance, options.seconds)
        for first in range(0, len(absent), options.batch_size):
            progress(len(takes) - len(absent) + first, len(takes), "generating")
            batch = absent[first : first + options.batch_size]
            sounds = pipeline([take.caption for take in batch], [take.seed for take in batch])
            for take, sound in zip(batch, sounds, strict=True):
                write_audio(output / take.file, sound, pipeline.sample_rate)
            record.append([vars(take) for take in batch])
        progress(len(takes), len(takes), "generating")
    return len(absent), pipeline.sample_rate


def _write_lists(takes: Sequence[_Take], scores: Sequence[float | None] | None, options: GenerateOptions) -> int:
    """Write the rejected clips and the manifest of the others; return the number of its rows."""
    least = -1.0 if options.min_similarity is None else options.min_similarity
    kept: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for number, take in enumerate(takes):
        item: dict[str, Any] = {"wav": os.path.abspath(options.output / take.file), "caption": take.caption}
        item |= {"id": Path(take.file).stem, "source": SOURCE, "model": options.model, "seed": take.seed}
        score = None if scores is None else scores[number]
        item |= {} if score is None else {"similarity": score}
        if scores is not None and (score is None or score < least):
            reason = "unreadable" if score is None else "low similarity"
            rejected.append({"file": take.file, "caption": take.caption, "reason": reason, "similarity": score})
        else:
            kept.append(item)
    write_rows(options.output / REJECTS, ("file", "caption", "reason", "similarity"), rejected)
    if not kept:
        found = max((row["similarity"] for row in rejected if row["similarity"] is not None), default=None)
        raise InputError(
            f"--min-similarity {least:g}: all {len(takes)} clips are below it (largest: {found}); allow less"
        )
    return write_items(options.output / MANIFEST, kept)
