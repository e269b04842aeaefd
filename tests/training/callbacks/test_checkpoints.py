"""Which epochs' weights are kept, when the checkpoint to resume from is written, and that each is written whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dplass_cli.errors import RunError
from dplass_cli.training.callbacks.checkpoints import AtomicCheckpointIO, BestCheckpoints, LastCheckpoint, SavedEpoch
from dplass_cli.training.callbacks.stopping import Interruption
from dplass_cli.training.module import SeparationModule


def test_a_checkpoint_can_be_loaded_without_pickled_code(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint({"step": 3, "weight": torch.ones(2)}, tmp_path / "last.ckpt")
    loaded = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert loaded["step"] == 3
    assert torch.equal(loaded["weight"], torch.ones(2))


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AtomicCheckpointIO().save_checkpoint({"step": 3}, tmp_path / "last.ckpt")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"last.ckpt: writing failed \(No space left on device\)"):
        AtomicCheckpointIO().save_checkpoint({"step": 4}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


class EndedEpochs:
    """Ends epochs with given scores, and saves empty files."""

    is_global_zero = True

    def __init__(self) -> None:
        self.current_epoch = self.global_step = 0
        self.callback_metrics: dict[str, torch.Tensor] = {}

    def save_checkpoint(self, path: Path, weights_only: bool) -> None:
        assert weights_only
        path.touch()

    def end_epoch(self, callback: BestCheckpoints, sdri: float) -> None:
        self.callback_metrics = {"val_sdri": torch.tensor(sdri), "val_si_sdr": torch.tensor(sdri - 1)}
        self.global_step += 10
        callback.on_train_epoch_end(self, SeparationModule)
        self.current_epoch += 1


@pytest.fixture
def improvements() -> list[int]:
    return []


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def after(folder: Path, count: int, scores: list[float], improvements: list[int] | None = None) -> BestCheckpoints:
    trainer = EndedEpochs()
    improved = [] if improvements is None else improvements
    callback = BestCheckpoints(folder, count, lambda: improved.append(trainer.current_epoch))
    for score in scores:
        trainer.end_epoch(callback, score)
    return callback


def test_the_best_epochs_are_kept_best_first(tmp_path: Path) -> None:
    kept = after(tmp_path, 2, [1.0, 3.0, 2.0, 0.0]).kept
    assert [(saved.scores, saved.epoch) for saved in kept] == [((3.0, 2.0), 1), ((2.0, 1.0), 2)]
    assert files(tmp_path) == ["step00000020.ckpt", "step00000030.ckpt"]


def test_each_improvement_is_signalled(tmp_path: Path, improvements: list[int]) -> None:
    after(tmp_path, 3, [1.0, 0.0, 2.0, 2.0], improvements)
    assert improvements == [0, 2]  # an equal score is not better


def test_an_epoch_without_a_score_is_not_kept(tmp_path: Path, improvements: list[int]) -> None:
    assert after(tmp_path, 1, [float("nan")], improvements).kept == []
    assert improvements == []


def test_a_resumed_run_knows_the_kept_epochs(tmp_path: Path) -> None:
    before = after(tmp_path, 2, [1.0, 3.0])
    resumed = BestCheckpoints(tmp_path, 2, lambda: None)
    resumed.load_state_dict(before.state_dict())
    assert resumed.kept == before.kept


def test_a_resumed_run_forgets_epochs_whose_files_are_gone(tmp_path: Path) -> None:
    before = after(tmp_path, 2, [1.0, 3.0])
    (tmp_path / "step00000010.ckpt").unlink()
    resumed = BestCheckpoints(tmp_path, 2, lambda: None)
    resumed.load_state_dict(before.state_dict())
    assert [saved.epoch for saved in resumed.kept] == [1]


def test_the_state_of_version_0_1_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "step00000020.ckpt").touch()
    resumed: Any = BestCheckpoints(tmp_path, 1, lambda: None)
    assert resumed.state_key == "BestCheckpoints"
    resumed.load_state_dict({"kept": [(3.0, 2.0, 1, "step00000020.ckpt")]})
    assert resumed.kept == [SavedEpoch((3.0, 2.0), 1, "step00000020.ckpt")]


class TakenSteps:
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
    trainer = TakenSteps()
    trainer.run_batches(last(every=3), 10)
    assert trainer.saved == [3, 6, 9]
    trainer = TakenSteps()
    trainer.run_batches(last(every=5), 10)
    assert trainer.saved == [5]  # the tenth step is followed by validation


def test_half_of_an_accumulated_step_is_not_saved() -> None:
    trainer = TakenSteps(accumulate=2)
    trainer.run_batches(last(every=1), 9)
    assert trainer.saved == [1, 2, 3, 4]


def test_it_is_saved_after_every_epoch() -> None:
    trainer = TakenSteps()
    last(every=1000).on_train_epoch_end(trainer, None)
    assert trainer.saved == [0]


def test_a_requested_stop_saves_and_interrupts() -> None:
    trainer, interruption = TakenSteps(), Interruption()
    callback = last(1000, interruption)
    trainer.run_batches(callback, 4)
    interruption.requested = True
    with pytest.raises(KeyboardInterrupt):
        callback.on_train_batch_end(trainer, None, None, None, 4)
    assert trainer.saved == [4]


def test_a_stop_requested_in_the_last_step_waits_for_validation() -> None:
    trainer, interruption = TakenSteps(), Interruption()
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
    last(1).on_save_checkpoint(TakenSteps(), None, saved)
    fit = saved["loops"]["fit_loop"]
    assert fit["epoch_progress"]["total"]["completed"] == fit["epoch_progress"]["current"]["completed"] == 2
    assert fit["epoch_loop.batch_progress"] == {"current": {"ready": 0, "completed": 0}, "is_last_batch": False}


def test_an_epoch_that_was_cut_short_is_continued_in_its_middle() -> None:
    saved = checkpoint(ready=4)
    last(1).on_save_checkpoint(TakenSteps(), None, saved)
    fit = saved["loops"]["fit_loop"]
    assert fit["epoch_progress"]["total"]["processed"] == fit["epoch_progress"]["total"]["completed"] == 1
    assert fit["epoch_loop.batch_progress"]["current"]["ready"] == 4


def test_a_checkpoint_of_weights_alone_is_left_as_it_is() -> None:
    weights: dict[str, Any] = {"state_dict": {}}
    last(1).on_save_checkpoint(TakenSteps(), None, weights)
    assert weights == {"state_dict": {}}
