"""From samples to batches: which numbers a process reads, from where it goes on, and how long a step waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from dplass_cli.data.samples import Batch, TrainingSamples, collate
from dplass_cli.errors import DplassError


class EpochBatches(Sampler[list[int]]):
    """The sample numbers of an epoch in batches: this process's share of them where several train together.

    Processes take the items of a global batch in turns, so all make the same number of steps and each sample is seen
    once an epoch. Where the last global batch has fewer items than processes, some read one that weighs nothing.

    Args:
        length: samples an epoch.
        size: items a batch and process.
        rank, world: this process and how many there are.
        position: tells (epoch, batch) to begin at, whenever an epoch is begun or gone on with.
    """

    def __init__(
        self,
        length: int,
        size: int,
        rank: int = 0,
        world: int = 1,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self.length, self.size, self.rank, self.world, self.position = length, size, rank, world, position

    def __len__(self) -> int:
        return -(-self.length // (self.size * self.world))

    def __iter__(self) -> Iterator[list[int]]:
        epoch, begin = self.position()
        for index in range(begin, len(self)):
            own, count = self._share(index)
            first = epoch * self.length
            yield [first + place for place in own] or [first + self.length - count]

    def weight(self, index: int) -> float:
        """What the mean over this process's items of a batch weighs in the mean over processes.

        With it, the mean of the processes' gradients is the gradient of the mean over all items.
        """
        own, count = self._share(index)
        return len(own) * self.world / count

    def _share(self, index: int) -> tuple[range, int]:
        """This process's places in the epoch, and the number of items of all processes."""
        first = index * self.size * self.world
        count = min(self.size * self.world, self.length - first)
        return range(first + self.rank, first + count, self.world), count


class TrainingLoader(DataLoader[Batch]):
    """Reads batches ahead in ``workers`` processes (0: in this one, when they are asked for).

    Attributes:
        waited: seconds that were spent waiting for batches, since it was set to 0 last.
    """

    def __init__(self, samples: TrainingSamples, batches: EpochBatches, workers: int) -> None:
        super().__init__(
            samples,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        self.waited = 0.0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        batches = super().__iter__()
        while True:
            began = time.perf_counter()
            try:
                batch = next(batches, None)
            except DplassError as error:
                raise type(error)(_said_by_worker(str(error))) from error
            self.waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Nothing: where to go on is the trainer's to know, and :attr:`EpochBatches.position` asks it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`; both are there because the trainer asks loaders for them that can go on."""


def _said_by_worker(text: str) -> str:
    """The message of an error, without the traceback that a reading process sends along."""
    return text.strip().splitlines()[-1].partition(": ")[2] if text.startswith("Caught ") else text
