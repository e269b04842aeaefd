"""Suggestions of what a recording contains: the kinds of sound that the encoder knows, by similarity with its audio.

Each excerpt is embedded on its own and a kind counts by its most similar one, since a short sound is lost in the mean
over a recording. docs/serve.md says how often the suggestions are right.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from dplass_cli.audio.level import is_silent, without_offset
from dplass_cli.audio.reading import AudioInfo, read_mono
from dplass_cli.encoders import QueryEncoder

COUNT = 6
_EXCERPT_SECONDS = 2.5
_STEP_SECONDS = 1.25
_MOST_EXCERPTS = 48  # spread over longer recordings


class Suggestion(NamedTuple):
    """A kind of sound that a recording may contain.

    Attributes:
        sound: its name.
        similarity: cosine of the name's embedding with the most similar excerpt's.
    """

    sound: str
    similarity: float


def suggest(path: Path, info: AudioInfo, encoder: QueryEncoder) -> list[Suggestion]:
    """The kinds of sound most similar to a recording, the most similar first.

    Returns:
        at most :data:`COUNT`; none where the encoder has no list of kinds, or the recording is silent.

    Raises:
        InputError: the recording is damaged.
    """
    if not encoder.kinds:
        return []
    excerpts = []
    for start in _starts(info.seconds):
        excerpt = torch.from_numpy(read_mono(path, encoder.sample_rate, start, start + _EXCERPT_SECONDS))
        if not is_silent(excerpt):
            excerpts.append(without_offset(excerpt))
    if not excerpts:
        return []
    similarities = encoder.embed_audio(excerpts, encoder.sample_rate) @ encoder.embed_text(encoder.kinds).T
    best, kinds = similarities.amax(dim=0).topk(min(COUNT, len(encoder.kinds)))
    return [Suggestion(encoder.kinds[kind], value) for kind, value in zip(kinds.tolist(), best.tolist(), strict=True)]


def _starts(seconds: float) -> list[float]:
    """The start of each excerpt in seconds: half-overlapping, or spread evenly over a long recording."""
    last = max(0.0, seconds - _EXCERPT_SECONDS)
    count = min(_MOST_EXCERPTS, 1 + int(last / _STEP_SECONDS))
    return [last * number / max(1, count - 1) for number in range(count)]
