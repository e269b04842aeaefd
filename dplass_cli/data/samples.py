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

from dplass_cli.audio.reading import Audio, audio_info, fit_length, read_channels, read_mono
from dplass_cli.data.augmentations import Scene, augmentations
from dplass_cli.data.manifest import Row
from dplass_cli.data.ontology import SoundKinds
from dplass_cli.data.shard_order import EpochOrder, ShardOrder, ShardPools
from dplass_cli.errors import InputError, RunError
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.shards.addresses import address
from dplass_cli.shards.shard_store import ShardError, shard_store

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
        captions: rows of the embedding table of all captions of the clip, to which queries must not be near.
    """

    row: Row
    kinds: SoundKinds
    text_rows: tuple[int, ...] = ()
    audio_row: int | None = None
    domain: int = 0
    captions: tuple[int, ...] = ()


@dataclass(slots=True)
class PairCounts:
    """Pairs of a target and a clip of unrelated sounds that were considered for mixtures.

    Attributes:
        drawn: all of them.
        near: those that ``data.semantic_filter`` rejected.
        accepted: near pairs that were mixed, because no other was found.
    """

    drawn: int = 0
    near: int = 0
    accepted: int = 0


class Batch(NamedTuple):
    """Targets and interferers, not mixed yet: that is done on the training device.

    Attributes:
        target: float32 (B, T); (B, C, T) for networks that separate several channels together.
        interferers: float32 (B, K, T) or (B, K, C, T), zeros where an item has fewer than K.
        gains_db: float32 (B, K), gain of each interferer relative to the target.
        noise_gain_db: float32 (B,), gain of the summed interferers relative to the target.
        present: bool (B,), whether the target is in the mixture.
        condition: float32 (B, D), query embeddings.
        domain: int64 (B,), ids of the targets' domains.
        number: int64 (B,), sample numbers.
        pairs: int64 (B, 3), counts of :class:`PairCounts`.
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
    pairs: Tensor
    unreadable: tuple[Unreadable, ...]


class _Sample(NamedTuple):
    rng: np.random.Generator
    target: _Segment
    interferers: list[_Segment]
    pairs: PairCounts
    unreadable: list[Unreadable]


class _Segment(NamedTuple):
    audio: Audio  # float32 (T,) or (C, T)
    source: SourceClip
    start: float  # seconds in the file


class TrainingSamples(Dataset[Batch]):
    """Batches of one item, numbered across epochs: number = epoch · len + index.

    Every epoch visits every target once, in its own order, shard by shard where clips are in shards
    (:mod:`~dplass_cli.data.shard_order`). Where targets have weights, it draws as many of them, with replacement, each
    in proportion to its weight. A file that cannot be read is reported with the sample;
    the next target, or another interferer, takes its place.

    Args:
        targets: clips to separate; one sample per epoch each.
        interference: {domain of a target: clips that may interfere with it}.
        embeddings: float32 (N, D), the query embeddings.
        settings: how samples are drawn.
        seed: determines, with the number, everything random in a sample.
        channels: of the audio; clips with another number of channels are read as mono.

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
        channels: int = 1,
    ) -> None:
        self.targets, self.interference, self.embeddings = list(targets), interference, embeddings
        self.settings, self.seed, self.channels = settings, seed, channels
        self._shards = ShardOrder(
            [source.row.wav for source in self.targets],
            [source.row.weight for source in self.targets],
            settings.shard_streams,
            settings.shards_together,
        )
        self._order: tuple[int, EpochOrder | None] = (-1, None)
        self._pools: dict[int, ShardPools] = {}
        self._by_caption: dict[str, list[int]] = defaultdict(list)
        for number, source in enumerate(self.targets):
            self._by_caption[source.row.caption].append(number)
        for domain in {source.domain for source in self.targets}:
            pool = {source.kinds for source in interference.get(domain, ())}
            recordings = {_clip(source) for source in interference.get(domain, ())}
            # By kinds, because millions of clips share few of them.
            for kinds, target in {source.kinds: source for source in self.targets if source.domain == domain}.items():
                if all(kinds.related(other) for other in pool) or recordings == {_clip(target)}:
                    caption = target.row.caption
                    raise InputError(f"no interference for {caption!r}: add recordings of other sounds to mix it with")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> Batch:
        rng, target, interferers, pairs, unreadable = self._draw(number)
        settings, count = self.settings, len(interferers)
        sources = np.zeros((settings.max_mix_num, *target.audio.shape), dtype=np.float32)
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
            pairs=torch.tensor([[pairs.drawn, pairs.near, pairs.accepted]]),
            unreadable=tuple(unreadable),
        )

    def describe(self, number: int) -> dict[str, Any]:
        """Describe a sample as JSON: captions, files and positions in them."""
        sample = self._draw(number)
        return {
            "number": number,
            "target": _describe(sample.target),
            "interferers": [_describe(segment) for segment in sample.interferers],
        }

    def _draw(self, number: int) -> _Sample:
        epoch, index = divmod(number, len(self.targets))
        rng = np.random.default_rng((self.seed, epoch, index))
        order, group = self._epoch_order(epoch, index)
        unreadable: list[Unreadable] = []
        for step in range(len(order)):
            target = self._read(self.targets[order[(index + step) % len(order)]], rng, unreadable)
            if target is not None:
                break
        else:
            raise RunError(f"none of {len(order)} training files can be read; the first: {': '.join(unreadable[0])}")
        count = int(rng.integers(2, self.settings.max_mix_num, endpoint=True)) - 1
        pairs = PairCounts()
        interferers = [self._draw_interferer(target.source, group, rng, pairs, unreadable) for _ in range(count)]
        return _Sample(rng, target, interferers, pairs, unreadable)

    def _epoch_order(self, epoch: int, index: int) -> tuple[npt.NDArray[np.int64], tuple[Path, ...]]:
        """The targets of an epoch in order, and the shards that a sample's clips come from."""
        if self._order[0] != epoch:
            self._order = epoch, self._shards.epoch(np.random.default_rng((self.seed, epoch)))
        order = self._order[1]
        assert order is not None
        group = order.group_of[index]
        if shards := order.groups[group]:
            following = order.following[group]
            shard_store().expect((*shards, *(order.groups[following] if following is not None else ())))
        return order.order, shards

    def _draw_interferer(
        self,
        target: SourceClip,
        group: tuple[Path, ...],
        rng: np.random.Generator,
        pairs: PairCounts,
        unreadable: list[Unreadable],
    ) -> _Segment:
        pool = self.interference[target.domain]
        nearby = self._nearby(target.domain, group)
        for accept_near in (False, True):
            rejected = pairs.near
            for attempt in range(_INTERFERER_TRIES):
                # The last tries take any clip: those in the same shards may all be of related sounds.
                if nearby is not None and len(nearby) and attempt < _INTERFERER_TRIES // 2:
                    source = pool[int(nearby[rng.integers(len(nearby))])]
                else:
                    source = pool[int(rng.integers(len(pool)))]
                if source.kinds.related(target.kinds) or _clip(source) == _clip(target):
                    continue
                pairs.drawn += not accept_near
                near = self._are_near(target, source)
                if near and not accept_near:
                    pairs.near += 1
                    continue
                segment = self._read(source, rng, unreadable)
                if segment is not None:
                    pairs.accepted += near
                    return segment
            if pairs.near == rejected:
                break  # the filter is not what leaves nothing to mix
        raise RunError(
            f"no readable interference for {target.row.caption!r} in {_INTERFERER_TRIES} tries; check the other clips"
        )

    def _are_near(self, target: SourceClip, source: SourceClip) -> bool:
        """Whether a clip has a caption that means nearly the same as the target's."""
        threshold = self.settings.semantic_filter
        if threshold is None or not source.captions:
            return False
        similarities = self.embeddings[list(source.captions)] @ self.embeddings[list(target.text_rows)].T
        return bool(similarities.max() >= threshold)

    def _nearby(self, domain: int, group: tuple[Path, ...]) -> npt.NDArray[np.int64] | None:
        """Numbers of a domain's possible interferers in a group of shards; None where targets are in no shards."""
        if not group:
            return None
        if domain not in self._pools:
            self._pools[domain] = ShardPools([source.row.wav for source in self.interference[domain]])
        return self._pools[domain].of(group)

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
            audio, start = read_segment(row.wav, row.start, row.end, self.settings, rng, self.channels)
        except InputError as error:
            if isinstance(error, ShardError):  # it counts once, not once per clip, and has been logged
                unreadable.append((address(error.shard), str(error)))
            else:
                unreadable.append((str(row.wav), str(error)))
                _log.warning("skipped: %s", error)
            return None
        return _Segment(audio, source, start)


def read_segment(
    wav: Path, start: float, end: float | None, settings: DataSettings, rng: np.random.Generator, channels: int = 1
) -> tuple[Audio, float]:
    """Read a random segment of a clip, where there is silence the loudest of a few.

    Args:
        wav: the file.
        start: of the clip, seconds.
        end: of the clip, seconds; None for the end of the file.
        settings: length and sample rate of the segment; a shorter clip is padded with silence.
        rng: draws the place.
        channels: of the segment.

    Returns:
        float32 (T,), or (C, T) with several channels, and where it starts in the file, seconds.

    Raises:
        InputError: the file is unreadable.
    """
    seconds, samples = settings.segment_seconds, settings.segment_samples
    loudest, place = np.zeros(samples if channels == 1 else (channels, samples), dtype=np.float32), start
    last = min(end or np.inf, audio_info(wav).seconds)
    for _ in range(_SEGMENT_TRIES):
        begin = float(rng.uniform(start, max(start, last - seconds)))
        finish = min(last, begin + seconds)
        if channels == 1:
            audio = read_mono(wav, settings.sampling_rate, begin, finish)
        else:
            audio = read_channels(wav, settings.sampling_rate, channels, begin, finish)
        audio = fit_length(audio, samples)
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
