"""The order of training samples whose clips are in shards: consecutive samples come from few shards.

Each epoch deals its shards out to streams at random and cuts each stream into groups of a few shards. The samples of a
group are in random order, and their interferers are clips of the same group. The streams take turns, so that with as
many streams as processes each process reads shards of its own. All of this is a function of (seed, epoch).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dplass_cli.shards.addresses import shard_of

Numbers = npt.NDArray[np.int64]

_KEPT_POOLS = 64  # of indices into a list of clips


@dataclass(frozen=True)
class EpochOrder:
    """The samples of an epoch.

    Attributes:
        order: int64 (N,), the target of each sample.
        group_of: int64 (N,), the group of each sample.
        groups: the shards of each group; empty where clips are files of their own.
        following: the next group of the same stream, for each group; None for its last.
    """

    order: Numbers
    group_of: Numbers
    groups: tuple[tuple[Path, ...], ...] = ((),)
    following: tuple[int | None, ...] = (None,)


def by_shard(paths: Sequence[Path]) -> dict[Path | None, Numbers]:
    """{shard: numbers of the clips in it}, in the order of the shards' names; None for files of their own."""
    found: dict[Path | None, list[int]] = defaultdict(list)
    for number, path in enumerate(paths):
        found[shard_of(path)].append(number)
    return {shard: np.array(found[shard], dtype=np.int64) for shard in sorted(found, key=str)}


class ShardOrder:
    """Orders of a list of targets.

    Args:
        targets: their audio files.
        weights: how often each is drawn, in proportion; all the same: each is drawn once per epoch.
        streams: number of streams.
        together: shards per group.
    """

    def __init__(self, targets: Sequence[Path], weights: Sequence[float], streams: int, together: int) -> None:
        weighted = any(weights) and min(weights) < max(weights)
        self._weights = np.array(weights, dtype=np.float64) if weighted else None
        self._numbers = by_shard(targets)
        self._files = self._numbers.pop(None, np.empty(0, np.int64))
        self._shards = [shard for shard in self._numbers if shard is not None]
        self._streams, self._together = streams, together

    def epoch(self, rng: np.random.Generator) -> EpochOrder:
        """The order of an epoch, from a generator that is seeded with it."""
        if not self._shards:
            (order,) = self._drawn([self._files], rng)
            return EpochOrder(order, np.zeros_like(order))
        dealt = rng.permutation(len(self._shards))
        groups: list[tuple[Path, ...]] = []
        following: list[int | None] = []
        stream_of: list[int] = []
        for stream in range(self._streams):
            own = dealt[stream :: self._streams]
            cuts = range(0, len(own), self._together)
            for first in cuts:
                groups.append(tuple(self._shards[number] for number in own[first : first + self._together]))
                following.append(len(groups) if first != cuts[-1] else None)
                stream_of.append(stream)
        # Files of their own cost nothing to mix with any group.
        files = np.array_split(rng.permutation(self._files), len(groups))
        members = self._drawn(
            [
                np.concatenate([*(self._numbers[shard] for shard in group), files[number]])
                for number, group in enumerate(groups)
            ],
            rng,
        )
        order = np.concatenate(members)
        group_of = np.repeat(np.arange(len(groups)), [len(numbers) for numbers in members])
        streams = np.array(stream_of)[group_of]
        # Samples have a place in their stream, and the streams take turns.
        begins = np.searchsorted(streams, np.arange(self._streams))
        places = np.arange(len(order)) - begins[streams]
        turns = np.argsort(places * self._streams + streams, kind="stable")
        return EpochOrder(order[turns], group_of[turns], tuple(groups), tuple(following))

    def _drawn(self, groups: Sequence[Numbers], rng: np.random.Generator) -> list[Numbers]:
        """The targets of each group in random order, or as many draws altogether as there are targets, by weight."""
        if self._weights is None:
            return [rng.permutation(group) for group in groups]
        shares = np.array([self._weights[group].sum() for group in groups])
        ends = np.round(len(self._weights) * shares.cumsum() / shares.sum()).astype(np.int64)
        return [
            rng.choice(group, count, p=self._weights[group] / share) if count else group[:0]
            for group, count, share in zip(groups, np.diff(ends, prepend=0), shares, strict=True)
        ]


class ShardPools:
    """The clips of a list that are in the shards of a group, or files of their own.

    Args:
        clips: the audio files of the list.
    """

    def __init__(self, clips: Sequence[Path]) -> None:
        self._numbers = by_shard(clips)
        self._pools: dict[tuple[Path, ...], Numbers] = {}

    def of(self, group: tuple[Path, ...]) -> Numbers:
        """Numbers of the clips that may be read with a group, int64 (M,)."""
        if group not in self._pools:
            if len(self._pools) >= _KEPT_POOLS:
                del self._pools[next(iter(self._pools))]
            found = [self._numbers[shard] for shard in (None, *group) if shard in self._numbers]
            self._pools[group] = np.concatenate(found) if found else np.empty(0, np.int64)
        return self._pools[group]
