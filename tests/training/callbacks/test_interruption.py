"""Signals that request a stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from dplass_cli.training.callbacks.interruption import Interruption


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """A shell's background job, such as a whole test run, starts with SIGINT ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_requests_a_stop_and_the_second_interrupts(number: int) -> None:
    interruption = Interruption()
    interruption.on_train_start(None, None)
    assert not interruption.requested
    signal.raise_signal(number)
    assert interruption.requested
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interruption = Interruption()
    interruption.on_train_start(None, None)
    signal.raise_signal(signal.SIGINT)
    assert not interruption.requested


def test_handlers_are_restored() -> None:
    interruption = Interruption()
    with interruption.handlers_restored():
        interruption.on_train_start(None, None)
        assert signal.getsignal(signal.SIGTERM) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_another_thread_leaves_the_handlers_alone() -> None:
    def train() -> None:
        interruption = Interruption()
        with interruption.handlers_restored():
            interruption.on_train_start(None, None)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
