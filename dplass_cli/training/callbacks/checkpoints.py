"""Checkpoints: written whole or not at all, the best ones kept, the last one always there to go on from."""

from __future__ import annotations

import io
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dplass_cli.storage import atomic_path, remove_file
from dplass_cli.training.module import SCORES

LAST = "last.ckpt"


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints through :mod:`dplass_cli.storage`: flushed and renamed; a full disk keeps the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            RunError: the disk is full or failed.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())


class Kept(NamedTuple):
    """A kept epoch: its scores in dB, its number and the file of its weights."""

    sdri: float
    si_sdr: float
    epoch: int
    name: str


class BestCheckpoints(Checkpoint):
    """Keeps the trained weights of the epochs with the best validation SDRi.

    Args:
        folder: where they go, as ``step00001200.ckpt``: an epoch that ``max_steps`` ends may go on in a later run.
        count: how many are kept.
        improved: called when an epoch is better than all before.

    Attributes:
        kept: the kept epochs, best first.
    """

    def __init__(self, folder: Path, count: int, improved: Callable[[], None]) -> None:
        self.folder, self.count, self.improved = folder, count, improved
        self.kept: list[Kept] = []

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Keep the epoch if it is among the best."""
        sdri, si_sdr = (float(trainer.callback_metrics.get(name, torch.nan)) for name in SCORES)
        if not math.isfinite(sdri) or (len(self.kept) == self.count and sdri <= self.kept[-1].sdri):
            return
        new = Kept(sdri, si_sdr, trainer.current_epoch, f"step{trainer.global_step:08d}.ckpt")
        trainer.save_checkpoint(self.folder / new.name, weights_only=True)
        self.kept = sorted([*self.kept, new], key=lambda kept: -kept.sdri)
        for dropped in self.kept[self.count :]:
            if trainer.is_global_zero:
                remove_file(self.folder / dropped.name)
        del self.kept[self.count :]
        if self.kept[0] == new:
            self.improved()

    def state_dict(self) -> dict[str, Any]:
        """The kept epochs, so that a resumed run compares with what was reached before it."""
        return {"kept": [tuple(kept) for kept in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`; what has been removed since is done again by the resumed run."""
        kept = (Kept(*entry) for entry in state["kept"])
        self.kept = [entry for entry in kept if (self.folder / entry.name).is_file()]


class Patience(EarlyStopping):
    """Ends a run after so many epochs without a better validation SDRi; a run that had ended stays so when resumed."""

    def __init__(self, epochs: int) -> None:
        super().__init__(SCORES[0], mode="max", patience=epochs, check_on_train_epoch_end=True)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """See the class."""
        trainer.should_stop = self.wait_count >= self.patience and trainer.current_epoch >= trainer.min_epochs

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Take back what was decided before ``min_epochs``: validation may have become better by then."""
        trainer.should_stop = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting, towards the patience that is asked for now."""
        super().load_state_dict({**state_dict, "patience": self.patience})


class ValidatedEnd(Callback):
    """Lets validation judge the last weights, too, where ``max_steps`` ends a run in the middle of an epoch."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ask the loop to stop, which validates first; it would just end."""
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.fit_loop.min_epochs = 0  # else it would not stop before them, and not validate
            trainer.should_stop = True


class Interruption:
    """Whether somebody has asked the run to stop: the first SIGINT or SIGTERM asks, a second one stops it at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Put the handlers back afterwards that were there before."""
        if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals. To be called when the trainer has set its own handlers, which this replaces."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class LastCheckpoint(Checkpoint):
    """Replaces ``last.ckpt`` every so many steps, after every epoch, and when the run is asked to stop.

    It stands after the other callbacks, whose state it saves too. In the middle of an epoch it is written between two
    steps; the last steps of an epoch or run are followed by validation, so there it waits for the epoch's end.
    """

    def __init__(self, path: Path, every: int, interruption: Interruption) -> None:
        self.path, self.every, self.interruption = path, every, interruption
        self._saved_step = 0

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Begin to listen."""
        self._saved_step = trainer.global_step
        self.interruption.listen()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save where it is time, or asked for."""
        validates = trainer.should_stop or batch_idx + 1 >= trainer.num_training_batches
        if validates or (batch_idx + 1) % trainer.accumulate_grad_batches:  # half a step cannot be saved
            return
        asked = trainer.strategy.reduce_boolean_decision(self.interruption.asked, all=False)
        if asked or trainer.global_step - self._saved_step >= self.every:
            self._save(trainer)
        if asked:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save."""
        self._save(trainer)
        if trainer.strategy.reduce_boolean_decision(self.interruption.asked, all=False):
            raise KeyboardInterrupt

    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        """Let an epoch whose end is being told count as done: the loop would tell it again, and count it twice.

        Where ``max_steps`` ended the run within an epoch, that one has not ended: a longer run goes on in its middle.
        """
        fit = checkpoint.get("loops", {}).get("fit_loop")
        if fit is None:
            return
        epochs, batches = fit["epoch_progress"], fit["epoch_loop.batch_progress"]
        whole = batches["current"]["ready"] >= trainer.num_training_batches
        for progress in (epochs["total"], epochs["current"]):
            done = "processed" if whole else "completed"
            progress["processed"] = progress["completed"] = progress[done]
        if whole:
            batches["current"] = dict.fromkeys(batches["current"], 0)
            batches["is_last_batch"] = False

    def _save(self, trainer: Any) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser and the loop too
        self._saved_step = trainer.global_step
