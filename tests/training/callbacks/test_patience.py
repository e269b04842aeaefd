"""Early stopping, resumed and delayed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from dplass_cli.training.callbacks.patience import Patience


def waited(epochs: int, patience: int) -> Patience:
    """Early stopping after some epochs without improvement."""
    made = Patience(patience)
    made.wait_count = epochs
    return made


def started(callback: Patience, epoch: int, min_epochs: int = 1) -> bool:
    """Whether a resumed run stops before its first step."""
    trainer: Any = SimpleNamespace(should_stop=False, current_epoch=epoch, min_epochs=min_epochs)
    callback.on_train_start(trainer, None)
    return bool(trainer.should_stop)


def test_a_run_that_patience_ended_stays_ended() -> None:
    assert started(waited(2, patience=2), epoch=3)
    assert not started(waited(1, patience=2), epoch=3)


def test_min_epochs_come_before_patience() -> None:
    assert not started(waited(2, patience=2), epoch=3, min_epochs=5)


def test_a_delayed_stop_is_withdrawn_at_the_next_epoch() -> None:
    trainer: Any = SimpleNamespace(should_stop=True)
    Patience(1).on_train_epoch_start(trainer, None)
    assert not trainer.should_stop


def test_a_resumed_run_may_have_another_patience() -> None:
    resumed = Patience(9)
    resumed.load_state_dict({**waited(2, patience=3).state_dict(), "best_score": torch.tensor(1.0)})
    assert (resumed.wait_count, resumed.patience) == (2, 9)


def test_its_state_has_the_key_of_version_0_1() -> None:
    assert Patience(3).state_key == "Patience{'monitor': 'val_sdri', 'mode': 'max'}"
