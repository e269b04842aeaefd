"""Which samples each process reads, where it resumes, and how long a step waits."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from dplass_cli.data.batches import EpochBatches, TrainingLoader
from dplass_cli.data.samples import Batch
from dplass_cli.errors import RunError


class Numbers(Dataset[Batch]):
    """Samples that are only numbers; some take time, some fail."""

    def __init__(self, seconds: float = 0.0, bad: int = -1) -> None:
        self.seconds, self.bad = seconds, bad

    def __getitem__(self, number: int) -> Batch:
        time.sleep(self.seconds)
        if number == self.bad:
            raise RunError("none of 3 training files can be read")
        value = torch.tensor([number])
        return Batch(value, value, value, value, value, value, value, value, value, ())


def loader(samples: Any, workers: int = 0) -> TrainingLoader:
    return TrainingLoader(samples, EpochBatches(4, 2), workers)


@pytest.mark.parametrize(("length", "size", "world"), [(11, 2, 3), (12, 2, 3), (13, 4, 3), (5, 1, 1), (2, 4, 3)])
@pytest.mark.parametrize("epoch", [0, 2])
def test_all_processes_take_the_same_steps_and_each_sample_counts_once(
    length: int, size: int, world: int, epoch: int
) -> None:
    processes = [EpochBatches(length, size, rank, world, lambda: (epoch, 0)) for rank in range(world)]
    drawn = [list(process) for process in processes]
    steps = -(-length // (size * world))
    assert {len(batches) for batches in drawn} == {len(process) for process in processes} == {steps}
    weights: dict[int, float] = {}
    for index in range(steps):
        own = [(batches[index], process.weight(index)) for process, batches in zip(processes, drawn, strict=True)]
        items = sum(len(numbers) for numbers, weight in own if weight)
        for numbers, weight in own:
            assert 1 <= len(numbers) <= size
            for number in numbers:  # its weight in the mean over processes of weighted means, times the items
                weights[number] = weights.get(number, 0.0) + weight / len(numbers) / world * items
    assert weights == pytest.approx(dict.fromkeys(range(epoch * length, epoch * length + length), 1.0))


def test_an_epoch_is_resumed_at_its_position() -> None:
    whole = EpochBatches(11, 2, 1, 2, lambda: (3, 0))
    assert list(EpochBatches(11, 2, 1, 2, lambda: (3, 2))) == list(whole)[2:]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_loaded_in_order(workers: int) -> None:
    assert [batch.number.tolist() for batch in loader(Numbers(), workers)] == [[0, 1], [2, 3]]


def test_waiting_is_measured() -> None:
    made = loader(Numbers(seconds=0.02))
    list(made)
    assert made.waited >= 4 * 0.02


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_is_its_own_message(workers: int) -> None:
    with pytest.raises(RunError) as raised:
        list(loader(Numbers(bad=1), workers))
    assert str(raised.value) == "none of 3 training files can be read"
