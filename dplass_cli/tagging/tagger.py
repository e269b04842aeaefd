"""Tagging recordings: overlapping windows are embedded, scored against labels, and joined to times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from dplass_cli.audio.level import is_silent, without_offset
from dplass_cli.audio.reading import AudioInfo, audio_info
from dplass_cli.audio.resampling import resample
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError
from dplass_cli.separation.windows import Window, WindowLayout, file_windows
from dplass_cli.storage import Progress, no_progress
from dplass_cli.tagging.calibration import Scores

WINDOW_SECONDS = 2.5
"""A sound of a moment is lost in longer windows; shorter ones say less about a sound."""

SHORTEST_SECONDS = 0.25
"""Shorter recordings are refused: the encoder would mostly hear their repetition."""

_BATCH = 16  # windows that are embedded at once


class Labels(Protocol):
    """What a tagger looks for.

    Attributes:
        names: the labels.
        calibrated: scores are probabilities.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def calibrated(self) -> bool: ...

    def scores(self, embeddings: Scores) -> Scores:
        """Score audio embeddings, float32 (N, D), unit norm: (N, L), 0 to 1."""
        ...


@dataclass(frozen=True)
class TagSpan:
    """A time at which a sound is there.

    Attributes:
        start: seconds.
        end: seconds.
        score: the highest of its windows.
    """

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Tag:
    """A sound that a recording contains.

    Attributes:
        sound: its label.
        score: the highest of all windows, 0 to 1; a probability where calibrated, otherwise a cosine.
        calibrated: the score is a probability.
        spans: when, in their order.
    """

    sound: str
    score: float
    calibrated: bool
    spans: tuple[TagSpan, ...]


@dataclass(frozen=True)
class RecordingTags:
    """What a recording contains.

    Attributes:
        seconds: its length.
        sounds: those with a score of at least the threshold, the highest first.
    """

    seconds: float
    sounds: tuple[Tag, ...]


class Tagger:
    """Finds sounds in recordings.

    Windows overlap by half. Each stands for the half in its middle, so the times of a sound are known to half a window.

    Args:
        encoder: embeds the windows.
        labels: scores the embeddings.
        threshold: the lowest score of a sound that is listed, and of a window that is part of its times.
        window_seconds: length of a window.
        top: at most this many sounds; None: all.
    """

    def __init__(
        self,
        encoder: QueryEncoder,
        labels: Labels,
        threshold: float,
        window_seconds: float = WINDOW_SECONDS,
        top: int | None = None,
    ) -> None:
        self._encoder, self._labels, self._threshold = encoder, labels, threshold
        self._window_seconds, self._top = window_seconds, top

    def __call__(self, path: Path, track: int = 0, progress: Progress = no_progress) -> RecordingTags:
        """Tag a track of a recording, which is read once, in bounded memory.

        Raises:
            InputError: it cannot be read, is shorter than :data:`SHORTEST_SECONDS`, or has an embedding that is not
                finite.
        """
        info = audio_info(path, track)
        if info.seconds < SHORTEST_SECONDS:
            raise InputError(
                f"{path}: {info.seconds:.2f} s are too short to tag; expected at least {SHORTEST_SECONDS:g} s"
            )
        times, scores = self._score(path, info, track, progress)
        return RecordingTags(info.seconds, self._tags(times, scores))

    def _score(
        self, path: Path, info: AudioInfo, track: int, progress: Progress
    ) -> tuple[list[tuple[float, float]], Scores]:
        """The times in seconds that windows stand for, and their scores (N, L); silent windows score 0."""
        times: list[tuple[float, float]] = []
        scores: list[Scores] = []
        for batch in _batches(file_windows(path, info.frames, self._layout(info), track)):
            excerpts = [self._excerpt(samples, info.sample_rate) for _, samples in batch]
            loud = [number for number, excerpt in enumerate(excerpts) if not is_silent(excerpt)]
            rows = np.zeros((len(batch), len(self._labels.names)), np.float32)
            if loud:
                embeddings = self._encoder.embed_audio([excerpts[at] for at in loud], self._encoder.sample_rate)
                if not embeddings.isfinite().all():
                    raise InputError(f"{path}: an audio embedding is not finite; check the recording's samples")
                rows[loud] = self._labels.scores(embeddings.numpy())
            scores.append(rows)
            times += [(window.first / info.sample_rate, window.last / info.sample_rate) for window, _ in batch]
            progress(batch[-1][0].last, info.frames, f"tagging {path.name}")
        return times, np.concatenate(scores)

    def _layout(self, info: AudioInfo) -> WindowLayout:
        """Equal parts of at most half a window, so that none at the end is too short to say anything."""
        half = 0.5 * self._window_seconds * info.sample_rate
        core = -(-info.frames // max(1, -int(-info.frames // half)))
        return WindowLayout(core, context=max(0, round(half - 0.5 * core)))

    def _excerpt(self, samples: Scores, sample_rate: int) -> torch.Tensor:
        """A window (C, n) as the encoder takes it: mono at its rate, without offset, float32 (T,)."""
        return without_offset(torch.from_numpy(resample(samples.mean(axis=0), sample_rate, self._encoder.sample_rate)))

    def _tags(self, times: list[tuple[float, float]], scores: Scores) -> tuple[Tag, ...]:
        best = scores.max(axis=0)
        order = [int(label) for label in np.argsort(-best, kind="stable") if 0.0 < best[label] >= self._threshold]
        return tuple(
            Tag(self._labels.names[label], float(best[label]), self._labels.calibrated, self._spans(times, column))
            for label in order[: self._top]
            for column in (scores[:, label],)
        )

    def _spans(self, times: list[tuple[float, float]], scores: Scores) -> tuple[TagSpan, ...]:
        """Join adjacent windows with a score of at least the threshold."""
        found = []
        rows = range(len(scores))
        for listed, run in groupby(rows, lambda row: 0.0 < scores[row] >= self._threshold):
            if listed:
                first, *more = run
                last = more[-1] if more else first
                found.append(TagSpan(times[first][0], times[last][1], float(scores[first : last + 1].max())))
        return tuple(found)


def _batches(windows: Iterable[tuple[Window, Scores]]) -> Iterator[list[tuple[Window, Scores]]]:
    batch: list[tuple[Window, Scores]] = []
    for window in windows:
        batch.append(window)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
