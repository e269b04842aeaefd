"""When the checkpoint to resume from is written, and the loop state in it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dplass_cli.training.callbacks.last_checkpoint import LastCheckpoint
from dplass_cli.training.callbacks.stopping import Interruption


class Trainer:
    """Takes steps of an epoch of ten batches, and counts checkpoints."""

    num_training_batches = 10
    should_stop = False

    def __init__(self, accumulate: int = 1) -> None:
        self.accumulate_grad_batches, self.global_step = accumulate, 0
        self.saved: list[int] = []
        self.strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)

    def save_checkpoint(self, path: Path, weights_only: bool) -> None:
        assert not weights_only
        self.saved.append(self.global_step)

    def run_batches(self, callback: LastCheckpoint, count: int) -> None:
        for index in range(count):
            self.global_step = (index + 1) // self.accumulate_grad_batches
            callback.on_train_batch_end(self, None, None, None, index)


def last(every: int, interruption: Interruption | None = None) -> LastCheckpoint:
    return LastCheckpoint(Path("last.ckpt"), every, interruption or Interruption())


def test_it_is_saved_every_few_steps_but_not_before_validation() -> None:
    trainer = Trainer()
    trainer.run_batches(last(every=3), 10)
    assert trainer.saved == [3, 6, 9]
    trainer = Trainer()
    trainer.run_batches(last(every=5), 10)
    assert trainer.saved == [5]  # the tenth step is followed by validation


def test_half_of_an_accumulated_step_is_not_saved() -> None:
    trainer = Trainer(accumulate=2)
    trainer.run_batches(last(every=1), 9)
    assert trainer.saved == [1, 2, 3, 4]


def test_it_is_saved_after_every_epoch() -> None:
    trainer = Trainer()
    last(every=1000).on_train_epoch_end(trainer, None)
    assert trainer.saved == [0]


def test_a_requested_stop_saves_and_interrupts() -> None:
    trainer, interruption = Trainer(), Interruption()
    callback = last(1000, interruption)
    trainer.run_batches(callback, 4)
    interruption.requested = True
    with pytest.raises(KeyboardInterrupt):
        callback.on_train_batch_end(trainer, None, None, None, 4)
    assert trainer.saved == [4]


def test_a_stop_requested_in_the_last_step_waits_for_validation() -> None:
    trainer, interruption = Trainer(), Interruption()
    callback = last(1000, interruption)
    interruption.requested = True
    callback.on_train_batch_end(trainer, None, None, None, 9)
    assert trainer.saved == []
    with pytest.raises(KeyboardInterrupt):
        callback.on_train_epoch_end(trainer, None)
    assert trainer.saved == [0]


def checkpoint(ready: int) -> dict[str, Any]:
    """The loop state at the end of the second epoch, of which some batches are done."""
    progress = {"ready": 2, "started": 2, "processed": 2, "completed": 1}
    return {
        "loops": {
            "fit_loop": {
                "epoch_progress": {"total": dict(progress), "current": dict(progress)},
                "epoch_loop.batch_progress": {"current": {"ready": ready, "completed": ready}, "is_last_batch": True},
            }
        }
    }


def test_a_complete_epoch_counts_as_completed() -> None:
    saved = checkpoint(ready=10)
    last(1).on_save_checkpoint(Trainer(), None, saved)
    fit = saved["loops"]["fit_loop"]
    assert fit["epoch_progress"]["total"]["completed"] == fit["epoch_progress"]["current"]["completed"] == 2
    assert fit["epoch_loop.batch_progress"] == {"current": {"ready": 0, "completed": 0}, "is_last_batch": False}


def test_an_epoch_that_was_cut_short_is_continued_in_its_middle() -> None:
    saved = checkpoint(ready=4)
    last(1).on_save_checkpoint(Trainer(), None, saved)
    fit = saved["loops"]["fit_loop"]
    assert fit["epoch_progress"]["total"]["processed"] == fit["epoch_progress"]["total"]["completed"] == 1
    assert fit["epoch_loop.batch_progress"]["current"]["ready"] == 4


def test_a_checkpoint_of_weights_alone_is_left_as_it_is() -> None:
    weights: dict[str, Any] = {"state_dict": {}}
    last(1).on_save_checkpoint(Trainer(), None, weights)
    assert weights == {"state_dict": {}}
