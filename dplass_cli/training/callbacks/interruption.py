"""Stopping between two steps on SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning.pytorch.callbacks import Callback

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
