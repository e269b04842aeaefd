"""Runs that end early: at ``max_steps``, without improvement, on a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dplass_cli.training.callbacks.stopping import FinalValidation, Interruption, Patience


@pytest.mark.parametrize(("step", "max_steps", "stops"), [(4, 5, False), (5, 5, True), (9, -1, False)])
def test_the_last_step_requests_a_stop(step: int, max_steps: int, stops: bool) -> None:
    loop = SimpleNamespace(min_epochs=3)
    trainer: Any = SimpleNamespace(max_steps=max_steps, global_step=step, should_stop=False, fit_loop=loop)
    FinalValidation().on_train_batch_end(trainer, None, None, None, 0)
    assert trainer.should_stop is stops
    assert loop.min_epochs == (0 if stops else 3)


def waited(epochs: int, patience: int) -> Patience:
    """Early stopping after some epochs without improvement."""
    made = Patience("val_sdri", patience)
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
    Patience("val_sdri", 1).on_train_epoch_start(trainer, None)
    assert not trainer.should_stop


def test_a_resumed_run_may_have_another_patience() -> None:
    resumed = Patience("val_sdri", 9)
    resumed.load_state_dict({**waited(2, patience=3).state_dict(), "best_score": torch.tensor(1.0)})
    assert (resumed.wait_count, resumed.patience) == (2, 9)


def test_its_state_has_the_key_of_version_0_1() -> None:
    assert Patience("val_sdri", 3).state_key == "Patience{'monitor': 'val_sdri', 'mode': 'max'}"


@pytest.fixture
def default_handlers() -> Iterator[None]:
    """A shell's background job, such as a whole test run, starts with SIGINT ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("default_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_requests_a_stop_and_the_second_interrupts(number: int) -> None:
    interruption = Interruption()
    interruption.on_train_start(None, None)
    assert not interruption.requested
    signal.raise_signal(number)
    assert interruption.requested
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.usefixtures("default_handlers")
def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interruption = Interruption()
    interruption.on_train_start(None, None)
    signal.raise_signal(signal.SIGINT)
    assert not interruption.requested


@pytest.mark.usefixtures("default_handlers")
def test_handlers_are_restored() -> None:
    interruption = Interruption()
    with interruption.handlers_restored():
        interruption.on_train_start(None, None)
        assert signal.getsignal(signal.SIGTERM) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


@pytest.mark.usefixtures("default_handlers")
def test_another_thread_leaves_the_handlers_alone() -> None:
    def train() -> None:
        interruption = Interruption()
        with interruption.handlers_restored():
            interruption.on_train_start(None, None)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
