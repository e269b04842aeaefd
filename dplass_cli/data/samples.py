"""Training samples. A sample is a pure function of (seed, number), and only the frames it needs are read."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dplass_cli.audio.reading import Audio, audio_info, fit_length, read_mono
from dplass_cli.data.augmentations import Scene, augmentations
from dplass_cli.data.manifest import Row
from dplass_cli.data.ontology import SoundKinds
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.data_settings import DataSettings

_log = logging.getLogger(__name__)

_SILENCE = 1e-3  # RMS below which another segment of the clip is tried
_SEGMENT_TRIES = 4
_INTERFERER_TRIES = 400

Unreadable = tuple[str, str]
"""(file, reason why it cannot be read)."""


@dataclass(frozen=True, slots=True)
class SourceClip:
    """A row that samples may draw.

    Attributes:
        row: the clip.
        kinds: the sounds in it; a clip never interferes with a target of a related kind.
        text_rows: rows of the embedding table that describe it in words; each sample draws one.
        audio_row: row of the embedding table with its audio embedding; None if it has none.
        domain: id of its domain.
    """

    row: Row
    kinds: SoundKinds
    text_rows: tuple[int, ...] = ()
    audio_row: int | None = None
    domain: int = 0


class Batch(NamedTuple):
    """Targets and interferers, not mixed yet: that is done on the training device.

    Attributes:
        target: float32 (B, T).
        interferers: float32 (B, K, T), zeros where an item has fewer than K.
        gains_db: float32 (B, K), gain of each interferer relative to the target.
        noise_gain_db: float32 (B,), gain of the summed interferers relative to the target.
        present: bool (B,), whether the target is in the mixture.
        condition: float32 (B, D), query embeddings.
        domain: int64 (B,), ids of the targets' domains.
        number: int64 (B,), sample numbers.
        unreadable: files that were skipped.
    """

    target: Tensor
    interferers: Tensor
    gains_db: Tensor
    noise_gain_db: Tensor
    present: Tensor
    condition: Tensor
    domain: Tensor
    number: Tensor
    unreadable: tuple[Unreadable, ...]


class _Segment(NamedTuple):
    audio: Audio  # float32 (T,)
    source: SourceClip
    start: float  # seconds in the file


class TrainingSamples(Dataset[Batch]):
    """Batches of one item, numbered across epochs: number = epoch · len + index.

    Every epoch visits every target once, in its own order. A file that cannot be read is reported with the sample;
    the next target, or another interferer, takes its place.

    Args:
        targets: clips to separate; one sample per epoch each.
        interference: {domain of a target: clips that may interfere with it}.
        embeddings: float32 (N, D), the query embeddings.
        settings: how samples are drawn.
        seed: determines, with the number, everything random in a sample.

    Raises:
        InputError: a target has no possible interferer.
    """

    def __init__(
        self,
        targets: Sequence[SourceClip],
        interference: Mapping[int, Sequence[SourceClip]],
        embeddings: Tensor,
        settings: DataSettings,
        seed: int,
    ) -> None:
        self.targets, self.interference, self.embeddings = list(targets), interference, embeddings
        self.settings, self.seed = settings, seed
        self._order: tuple[int, npt.NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        self._by_caption: dict[str, list[int]] = defaultdict(list)
        for number, source in enumerate(self.targets):
            self._by_caption[source.row.caption].append(number)
        for domain in {source.domain for source in self.targets}:
            pool = {source.kinds for source in interference.get(domain, ())}
            # By kinds, because millions of clips share few of them.
            for kinds, target in {source.kinds: source for source in self.targets if source.domain == domain}.items():
                if all(kinds.related(other) for other in pool):
                    caption = target.row.caption
                    raise InputError(f"no interference for {caption!r}: add clips of other sounds to mix it with")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> Batch:
        rng, target, interferers, unreadable = self._draw(number)
        settings, count = self.settings, len(interferers)
        sources = np.zeros((settings.max_mix_num, settings.segment_samples), dtype=np.float32)
        sources[: count + 1] = [segment.audio for segment in (target, *interferers)]
        another = partial(self._read_same_caption, target.source, rng, unreadable)
        for augment in augmentations(settings.augment):
            scene = Scene(sources[: count + 1], settings.sampling_rate, another)
            sources[: count + 1] = augment(scene, rng)
        bounds = settings.loudness_norm
        gains = rng.integers(bounds.lower_db, bounds.higher_db, size=len(sources), endpoint=True)
        return Batch(
            target=torch.from_numpy(sources[:1]),
            interferers=torch.from_numpy(sources[None, 1:]),
            gains_db=torch.from_numpy(gains[None, :-1]).float(),
            noise_gain_db=torch.from_numpy(gains[-1:]).float(),
            present=torch.tensor([rng.random() >= settings.negative_share]),
            condition=self.embeddings[self._query(target.source, rng)][None],
            domain=torch.tensor([target.source.domain]),
            number=torch.tensor([number]),
            unreadable=tuple(unreadable),
        )

    def describe(self, number: int) -> dict[str, Any]:
        """Describe a sample as JSON: captions, files and positions in them."""
        _, target, interferers, _ = self._draw(number)
        return {
            "number": number,
            "target": _describe(target),
            "interferers": [_describe(segment) for segment in interferers],
        }

    def _draw(self, number: int) -> tuple[np.random.Generator, _Segment, list[_Segment], list[Unreadable]]:
        epoch, index = divmod(number, len(self.targets))
        rng = np.random.default_rng((self.seed, epoch, index))
        order = self._epoch_order(epoch)
        unreadable: list[Unreadable] = []
        for step in range(len(order)):
            target = self._read(self.targets[order[(index + step) % len(order)]], rng, unreadable)
            if target is not None:
                break
        else:
            raise RunError(f"none of {len(order)} training files can be read; the first: {': '.join(unreadable[0])}")
        count = int(rng.integers(2, self.settings.max_mix_num, endpoint=True)) - 1
        return rng, target, [self._draw_interferer(target.source, rng, unreadable) for _ in range(count)], unreadable

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.targets))
        return self._order[1]

    def _draw_interferer(self, target: SourceClip, rng: np.random.Generator, unreadable: list[Unreadable]) -> _Segment:
        pool = self.interference[target.domain]
        for _ in range(_INTERFERER_TRIES):
            source = pool[rng.integers(len(pool))]
            if not source.kinds.related(target.kinds) and _clip(source) != _clip(target):
                segment = self._read(source, rng, unreadable)
                if segment is not None:
                    return segment
        raise RunError(
            f"no readable interference for {target.row.caption!r} in {_INTERFERER_TRIES} tries; check the other clips"
        )

    def _read_same_caption(
        self, target: SourceClip, rng: np.random.Generator, unreadable: list[Unreadable]
    ) -> Audio | None:
        """A segment of another clip with the target's caption; None if there is none or it cannot be read."""
        others = self._by_caption[target.row.caption]
        source = self.targets[others[rng.integers(len(others))]]
        segment = None if _clip(source) == _clip(target) else self._read(source, rng, unreadable)
        return None if segment is None else segment.audio

    def _query(self, source: SourceClip, rng: np.random.Generator) -> int:
        """The row of the query's embedding."""
        if source.audio_row is not None and rng.random() >= self.settings.use_text_ratio:
            return source.audio_row
        return source.text_rows[rng.integers(len(source.text_rows))]

    def _read(self, source: SourceClip, rng: np.random.Generator, unreadable: list[Unreadable]) -> _Segment | None:
        """Read a random segment, in clips with silence the loudest of a few; None if the file is unreadable."""
        row = source.row
        try:
            audio, start = read_segment(row.wav, row.start, row.end, self.settings, rng)
        except InputError as error:
            unreadable.append((str(row.wav), str(error)))
            _log.warning("skipped: %s", error)
            return None
        return _Segment(audio, source, start)


def read_segment(
    wav: Path, start: float, end: float | None, settings: DataSettings, rng: np.random.Generator
) -> tuple[Audio, float]:
    """Read a random segment of a clip, where there is silence the loudest of a few.

    Args:
        wav: the file.
        start: of the clip, seconds.
        end: of the clip, seconds; None for the end of the file.
        settings: length and sample rate of the segment; a shorter clip is padded with silence.
        rng: draws the place.

    Returns:
        float32 (T,), and where it starts in the file, seconds.

    Raises:
        InputError: the file is unreadable.
    """
    seconds, samples = settings.segment_seconds, settings.segment_samples
    loudest, place = np.zeros(samples, dtype=np.float32), start
    last = min(end or np.inf, audio_info(wav).seconds)
    for _ in range(_SEGMENT_TRIES):
        begin = float(rng.uniform(start, max(start, last - seconds)))
        audio = fit_length(read_mono(wav, settings.sampling_rate, begin, min(last, begin + seconds)), samples)
        if np.square(audio).sum() >= np.square(loudest).sum():
            loudest, place = audio, begin
        if np.sqrt(np.square(loudest).mean()) > _SILENCE:
            break
    return loudest, place


def _clip(source: SourceClip) -> object:
    """Identity of a clip, which several rows may describe."""
    return source.row.id or source.row.wav


def _describe(segment: _Segment) -> dict[str, Any]:
    row = segment.source.row
    return {"wav": str(row.wav), "start": segment.start, "caption": row.caption, "id": row.id}


def collate(items: Sequence[Batch]) -> Batch:
    """Concatenate batches."""
    tensors = {name: torch.cat([getattr(item, name) for item in items]) for name in Batch._fields[:-1]}
    return Batch(**tensors, unreadable=tuple(entry for item in items for entry in item.unreadable))
