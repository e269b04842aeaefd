"""Batches of training samples: which samples each process reads, and a loader that resumes and measures its delay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from dplass_cli.data.samples import collate
from dplass_cli.errors import DplassError


class EpochBatches(Sampler[list[int]]):
    """The sample numbers of an epoch in batches; of several processes, this one's share.

    Processes take the items of a global batch in turn, so all take the same number of steps and each sample is seen
    once per epoch. If the last global batch has fewer items than processes, the others read an item with weight 0.

    Args:
        length: samples per epoch.
        size: items per batch and process.
        rank: of this process.
        world: number of processes.
        position: returns the (epoch, batch) to start from, whenever an epoch is started or resumed.
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
        """Weight of this process's mean loss in a batch that is shared unevenly.

        With it, the mean of the processes' gradients is the gradient of the mean loss over all items.
        """
        own, count = self._share(index)
        return len(own) * self.world / count

    def _share(self, index: int) -> tuple[range, int]:
        """This process's positions in the epoch, and the number of items over all processes."""
        first = index * self.size * self.world
        count = min(self.size * self.world, self.length - first)
        return range(first + self.rank, first + count, self.world), count


class TrainingLoader(DataLoader[Any]):
    """Loads batches ahead in worker processes.

    Args:
        samples: the samples.
        batches: their numbers.
        workers: number of processes; 0 loads in this one, on demand.
        collate: makes a batch of samples.

    Attributes:
        waited: seconds spent waiting for batches; the reader may reset it.
    """

    def __init__(
        self,
        samples: Dataset[Any],
        batches: EpochBatches,
        workers: int,
        collate: Callable[[Sequence[Any]], Any] = collate,
    ) -> None:
        super().__init__(
            samples,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        self.waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        while True:
            began = time.perf_counter()
            try:
                batch = next(batches, None)
            except DplassError as error:
                raise type(error)(_without_traceback(str(error))) from error
            self.waited += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """No state. Lightning requires it to resume within an epoch; the position comes from :class:`EpochBatches`."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`."""


def _without_traceback(text: str) -> str:
    """An error's own message; PyTorch puts a worker's whole traceback into it."""
    return text.strip().splitlines()[-1].partition(": ")[2] if text.startswith("Caught ") else text
