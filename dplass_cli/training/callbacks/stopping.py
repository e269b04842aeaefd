"""How a run ends early: at ``max_steps``, without improvement, and between two steps on SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dplass_cli.training.lightning_classes import Callback, EarlyStopping

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class FinalValidation(Callback):
    """Validates the last weights when ``max_steps`` ends a run in the middle of an epoch.

    Lightning would end without validation at ``max_steps``; but it validates before it obeys ``should_stop``.
    """

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Request the stop after the last step."""
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.fit_loop.min_epochs = 0  # otherwise Lightning ignores should_stop until min_epochs
            trainer.should_stop = True


class Patience(EarlyStopping):
    """Ends a run after some epochs without a better validation score. A run that it ended stays ended when resumed.

    The class's name is the key of its state in checkpoints.
    """

    def __init__(self, score: str, epochs: int) -> None:
        super().__init__(score, mode="max", patience=epochs, check_on_train_epoch_end=True)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Stop before the first step where patience has run out already, which Lightning does not restore."""
        trainer.should_stop = self.wait_count >= self.patience and trainer.current_epoch >= trainer.min_epochs

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Withdraw a stop that ``min_epochs`` has delayed: the score may improve until then."""
        trainer.should_stop = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count, but not the patience: a resumed run may have another one."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class Interruption(Callback):
    """The first SIGINT or SIGTERM requests a stop after the current step; a second one stops at once.

    Attributes:
        requested: whether a stop is requested. :class:`LastCheckpoint` acts on it.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def handlers_restored(self) -> Iterator[None]:
        """Restore the signal handlers after the block. Only the main thread may set any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Install the handlers: now, because Lightning sets its own before this, and they would end the process.

        An ignored signal stays ignored, as for a shell's background job.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
