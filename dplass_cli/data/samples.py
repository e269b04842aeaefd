"""Training samples: a sample is a pure function of (seed, number), and reads only the frames that it needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from dplass_cli.audio.files import audio_info, fit_length, read_mono
from dplass_cli.data.manifest import Row
from dplass_cli.data.settings import DataSettings
from dplass_cli.errors import InputError, RunError

log = logging.getLogger(__name__)

_SILENCE = 1e-3  # RMS below which another place of the clip is tried
_TRIES = 4


@dataclass(frozen=True)
class Source:
    """A row that may be drawn.

    Attributes:
        row: the clip.
        group: interference never comes from the target's group (its caption, or its class).
        queries: indices of the query embeddings that describe it; one is drawn a sample.
    """

    row: Row
    group: str
    queries: tuple[int, ...]


class Batch(NamedTuple):
    """Targets with what is to be mixed to them.

    Attributes:
        target: float32 (B, T). interferers: float32 (B, K, T), zeros where an item has fewer than K.
        gains_db: (B, K). noise_gain_db: (B,). query: int64 (B,), indices of query embeddings.
        unreadable: files that were skipped, as (path, reason).
    """

    target: Tensor
    interferers: Tensor
    gains_db: Tensor
    noise_gain_db: Tensor
    query: Tensor
    unreadable: tuple[tuple[str, str], ...]


class TrainingSamples(Dataset[Batch]):
    """Samples of one item each, numbered on through the epochs: number = epoch · len + index.

    Every epoch visits every target once, in an order of its own. A file that cannot be read is replaced by the next
    target (or another interferer) and reported with the sample.
    """

    def __init__(
        self, targets: Sequence[Source], interference: Sequence[Source], settings: DataSettings, seed: int
    ) -> None:
        self.targets, self.interference = list(targets), list(interference)
        self.settings, self.seed = settings, seed
        groups = {source.group for source in self.interference}
        for group in sorted({source.group for source in self.targets}):
            if not groups - {group}:
                raise InputError(f"no interference for {group!r}: no clip with another caption to mix it with")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, number: int) -> Batch:
        epoch, index = divmod(number, len(self.targets))
        rng = np.random.default_rng((self.seed, epoch, index))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.targets))
        unreadable: list[tuple[str, str]] = []
        for step in range(len(order)):
            source = self.targets[order[(index + step) % len(order)]]
            target = self._read(source.row, rng, unreadable)
            if target is not None:
                break
        else:
            raise RunError(f"none of {len(order)} training files can be read; the first: {': '.join(unreadable[0])}")
        interferers = np.zeros((self.settings.max_mix_num - 1, self.settings.segment_samples), dtype=np.float32)
        count = int(rng.integers(2, self.settings.max_mix_num, endpoint=True)) - 1
        for slot in range(count):
            interferers[slot] = self._interferer(source, rng, unreadable)
        bounds = self.settings.loudness_norm
        gains = rng.integers(bounds.lower_db, bounds.higher_db, size=len(interferers) + 1, endpoint=True)
        return Batch(
            target=torch.from_numpy(target)[None],
            interferers=torch.from_numpy(interferers)[None],
            gains_db=torch.from_numpy(gains[None, :-1]).float(),
            noise_gain_db=torch.from_numpy(gains[-1:]).float(),
            query=torch.tensor([source.queries[rng.integers(len(source.queries))]]),
            unreadable=tuple(unreadable),
        )

    def _interferer(
        self, target: Source, rng: np.random.Generator, unreadable: list[tuple[str, str]]
    ) -> npt.NDArray[np.float32]:
        for _ in range(100 * _TRIES):
            source = self.interference[rng.integers(len(self.interference))]
            if source.group != target.group and (source.row.id or source.row.wav) != (target.row.id or target.row.wav):
                audio = self._read(source.row, rng, unreadable)
                if audio is not None:
                    return audio
        raise RunError(f"found no readable interference for {target.group!r}; check the files of the other domains")

    def _read(
        self, row: Row, rng: np.random.Generator, unreadable: list[tuple[str, str]]
    ) -> npt.NDArray[np.float32] | None:
        """Read a random segment, the loudest of a few tries where the clip has silence; None if unreadable."""
        seconds = self.settings.segment_seconds
        best = np.zeros(self.settings.segment_samples, dtype=np.float32)
        try:
            end = min(row.end or np.inf, audio_info(row.wav).seconds)
            for _ in range(_TRIES):
                start = rng.uniform(row.start, max(row.start, end - seconds))
                audio = read_mono(row.wav, self.settings.sampling_rate, start, min(end, start + seconds))
                audio = fit_length(audio, self.settings.segment_samples)
                if np.square(audio).sum() >= np.square(best).sum():
                    best = audio
                if np.sqrt(np.square(best).mean()) > _SILENCE:
                    break
        except InputError as error:
            unreadable.append((str(row.wav), str(error)))
            log.warning("skipped: %s", error)
            return None
        return best


def collate(items: Sequence[Batch]) -> Batch:
    """Join one-item batches to one."""
    names = ("target", "interferers", "gains_db", "noise_gain_db", "query")
    tensors = {name: torch.cat([getattr(item, name) for item in items]) for name in names}
    return Batch(**tensors, unreadable=tuple(entry for item in items for entry in item.unreadable))


class EpochNumbers(Sampler[int]):
    """Yields the sample numbers of an epoch: this process's share of them where several train together."""

    def __init__(self, length: int, rank: int = 0, world: int = 1) -> None:
        self.length, self.rank, self.world, self.epoch = length, rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.length + self.rank, (self.epoch + 1) * self.length, self.world))

    def __len__(self) -> int:
        return -(-(self.length - self.rank) // self.world)
