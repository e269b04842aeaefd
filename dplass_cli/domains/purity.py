"""How well clips and their captions fit, by an encoder's embeddings of sounds and sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from dplass_cli.audio.reading import Audio, audio_info, read_mono
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.encoders.cache import EmbeddingCache, Vectors
from dplass_cli.encoders.clips import Clip, clip_key
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import PuritySettings, WindowSettings
from dplass_cli.storage import Progress

_SILENCE = 1e-3  # RMS below which a window has no sound that a caption could describe
_BATCH = 64  # clips that are read in parallel and embedded together


class WindowScorer(ABC):
    """Scores clips by the similarity of their windows and captions.

    Windows without sound do not count, and a clip of silence scores 0.

    Args:
        encoder: embeds windows and captions.
        settings: length of a window, and a cache of the windows' embeddings.

    Attributes:
        name: of the score; ``--min-NAME`` is the option, and NAME its section of settings.

    Raises:
        InputError: the encoder embeds no sounds.
    """

    name: str

    def __init__(self, encoder: QueryEncoder, settings: WindowSettings) -> None:
        if not encoder.embeds_audio:
            raise InputError(
                f"--min-{self.name}: the encoder {encoder.name} embeds no sounds; choose another {self.name}.encoder"
            )
        self._encoder, self._settings = encoder, settings
        self._cache = None if settings.cache is None else EmbeddingCache(settings.cache, encoder)
        self._captions: dict[str, Vectors] = {}

    def __call__(
        self, clips: Sequence[SourceRange], captions: Sequence[Sequence[str]], progress: Progress
    ) -> list[float | None]:
        """Score clips, in their order; None for one that cannot be read."""
        scores: list[float | None] = []
        with ThreadPoolExecutor() as pool:
            for first in range(0, len(clips), _BATCH):
                progress(first, len(clips), f"scoring {self.name}")
                embedded = self._embed(clips[first : first + _BATCH], pool)
                described = captions[first : first + _BATCH]
                scores += [
                    None if windows is None else self._score(windows, texts)
                    for windows, texts in zip(embedded, described, strict=True)
                ]
        progress(len(clips), len(clips), f"scoring {self.name}")
        return scores

    @abstractmethod
    def _of_similarities(self, similarities: Vectors) -> float:
        """The score of a clip, by the cosine similarity of each window and caption, (windows, captions)."""

    def _score(self, windows: Vectors, captions: Sequence[str]) -> float:
        sounding = windows[windows.any(axis=1)]
        if not len(sounding):
            return 0.0
        for caption in captions:
            if caption not in self._captions:
                self._captions[caption] = self._encoder.embed_text([caption])[0].numpy()
        texts = np.stack([self._captions[caption] for caption in captions])
        return round(self._of_similarities(sounding @ texts.T), 4)

    def _embed(self, clips: Sequence[SourceRange], pool: ThreadPoolExecutor) -> list[Vectors | None]:
        """The embeddings of each clip's windows, float32 (N, D), zeros for silence; None for an unreadable clip."""
        windows = list(pool.map(self._windows, clips))
        stored = self._stored(list(chain.from_iterable(windows)))
        absent = [clip for clip in windows if clip and any(window not in stored for window in clip)]
        for clip, audio in zip(absent, pool.map(self._read, absent), strict=True):
            stored |= {} if audio is None else self._embed_windows(clip, audio)
        return [
            np.stack([stored[window] for window in clip]) if clip and clip[0] in stored else None for clip in windows
        ]

    def _windows(self, clip: SourceRange) -> list[Clip]:
        """The windows of a clip, whole ones except for a clip that is shorter; none if it cannot be read."""
        path, seconds = Path(clip.path), self._settings.window_seconds
        try:
            length = min(np.inf if clip.end is None else clip.end, audio_info(path).seconds) - clip.start
        except InputError:
            return []
        count = max(1, int(length / seconds + 1e-6))
        return [Clip(path, clip.start + n * seconds, clip.start + (n + 1) * seconds) for n in range(count)]

    def _stored(self, windows: Sequence[Clip]) -> dict[Clip, Vectors]:
        if self._cache is None:
            return {}
        keys = {window: key for window in windows if (key := clip_key(window, self._cache.identity)) is not None}
        found = zip(keys, self._cache.get(list(keys.values())), strict=True)
        return {window: vector for window, vector in found if vector is not None}

    def _read(self, windows: Sequence[Clip]) -> list[Audio] | None:
        """The samples of the windows at the encoder's rate; None if the clip cannot be read."""
        try:
            audio = read_mono(windows[0].wav, self._encoder.sample_rate, windows[0].start, windows[-1].end)
        except InputError:
            return None
        return np.array_split(audio, len(windows))

    def _embed_windows(self, windows: Sequence[Clip], audio: Sequence[Audio]) -> dict[Clip, Vectors]:
        silence: Vectors = np.zeros(self._encoder.size, np.float32)
        embedded = dict.fromkeys(windows, silence)
        sounding = {
            window: torch.from_numpy(samples)
            for window, samples in zip(windows, audio, strict=True)
            if len(samples) and np.sqrt(np.square(samples).mean()) > _SILENCE
        }
        if sounding:
            vectors = self._encoder.embed_audio(list(sounding.values()), self._encoder.sample_rate).numpy()
            embedded |= dict(zip(sounding, vectors, strict=True))
        if self._cache is not None:
            identify = partial(clip_key, identity=self._cache.identity)
            keys = {window: key for window in windows if (key := identify(window)) is not None}
            self._cache.add(list(keys.values()), np.stack([embedded[window] for window in keys]))
        return embedded


class PurityScorer(WindowScorer):
    """Scores clips, 0 to 1: the share of a clip's windows whose sound is similar to its caption.

    The score of a clip with several captions is the mean of theirs.

    Args:
        encoder: embeds windows and captions.
        settings: those of the windows, and the similarity that is required.

    Raises:
        InputError: the encoder embeds no sounds.
    """

    name = "purity"

    def __init__(self, encoder: QueryEncoder, settings: PuritySettings) -> None:
        super().__init__(encoder, settings)
        self._required = settings.similarity

    def _of_similarities(self, similarities: Vectors) -> float:
        return float((similarities >= self._required).mean())


class SimilarityScorer(WindowScorer):
    """Scores clips, -1 to 1: the mean cosine similarity of a clip's windows and its captions."""

    name = "similarity"

    def _of_similarities(self, similarities: Vectors) -> float:
        return float(similarities.mean())
