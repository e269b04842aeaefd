"""Checkpoints: the last one, which a run is resumed from, and those of the best epochs. All are written atomically."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dplass_cli.errors import InputError, first_line
from dplass_cli.storage import atomic_path, remove_file
from dplass_cli.training.callbacks.stopping import Interruption
from dplass_cli.training.lightning_classes import Checkpoint, TorchCheckpointIO


class AtomicCheckpointIO(TorchCheckpointIO):
    """Flushes a checkpoint under a temporary name and renames it: a full disk or a kill leaves the previous one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(self, path: Any, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """See Lightning; InputError if the file is damaged."""
        try:
            checkpoint: dict[str, Any] = super().load_checkpoint(path, *arguments, **keywords)
        except (EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path}: is damaged ({first_line(error)}); delete {Path(path).parent} to train this job again"
            ) from error
        return checkpoint


class SavedEpoch(NamedTuple):
    """An epoch whose weights are kept. Checkpoints store it as a plain tuple: the scores, epoch and file.

    Attributes:
        scores: validation scores; the first decides which epoch is better.
        epoch: number of the epoch, from 0.
        file: name of the checkpoint.
    """

    scores: tuple[float, ...]
    epoch: int
    file: str


class BestCheckpoints(Checkpoint):
    """Keeps the trained weights of the ``count`` epochs with the best validation score.

    Files are named by step (``step00001200.ckpt``), not by epoch: a longer run continues an epoch that ``max_steps``
    has cut short, and validates it a second time. ``on_improvement`` follows an epoch that is better than all before.

    Attributes:
        kept: the kept epochs, best first.
    """

    def __init__(self, folder: Path, count: int, on_improvement: Callable[[], None]) -> None:
        self.folder, self.count, self.on_improvement = folder, count, on_improvement
        self.kept: list[SavedEpoch] = []

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save the weights if the epoch is among the best, and remove those that no longer are."""
        scores = tuple(float(trainer.callback_metrics.get(name, torch.nan)) for name in module.scores)
        if not math.isfinite(scores[0]) or (len(self.kept) == self.count and scores[0] <= self.kept[-1].scores[0]):
            return
        new = SavedEpoch(scores, trainer.current_epoch, f"step{trainer.global_step:08d}.ckpt")
        trainer.save_checkpoint(self.folder / new.file, weights_only=True)
        self.kept = sorted([*self.kept, new], key=lambda saved: -saved.scores[0])
        for dropped in self.kept[self.count :]:
            if trainer.is_global_zero:
                remove_file(self.folder / dropped.file)
        del self.kept[self.count :]
        if self.kept[0] == new:
            self.on_improvement()

    def state_dict(self) -> dict[str, Any]:
        """The kept epochs, so that a resumed run compares with the epochs before it."""
        return {"kept": [(*saved.scores, saved.epoch, saved.file) for saved in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the kept epochs, except those whose files later epochs replaced before the run was killed.

        The resumed run repeats those later epochs.
        """
        kept = (SavedEpoch(tuple(scores), epoch, file) for *scores, epoch, file in state["kept"])
        self.kept = [saved for saved in kept if (self.folder / saved.file).is_file()]


class LastCheckpoint(Checkpoint):
    """Replaces ``last.ckpt`` every few steps, after every epoch, and when the run is asked to stop.

    It must be the last callback, because it saves the others' state. Within an epoch it is written between two steps.
    The last step of an epoch or run is followed by validation, so there it is written at the end of the epoch.
    """

    def __init__(self, path: Path, every: int, interruption: Interruption) -> None:
        self.path, self.every, self.interruption = path, every, interruption
        self._saved_step = 0

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self._saved_step = trainer.global_step

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save when it is time; if the run is asked to stop, save and raise KeyboardInterrupt."""
        validates_next = trainer.should_stop or batch_idx + 1 >= trainer.num_training_batches
        # Accumulated gradients are in no checkpoint, so it can only be written after the optimiser's step.
        accumulating = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        if validates_next or accumulating:
            return
        stop = self._stop_requested(trainer)
        if stop or trainer.global_step - self._saved_step >= self.every:
            self.save(trainer)
        if stop:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Save; if the run is asked to stop, raise KeyboardInterrupt."""
        self.save(trainer)
        if self._stop_requested(trainer):
            raise KeyboardInterrupt

    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        """Correct the loop state of a checkpoint that is written from a hook at the end of an epoch.

        There Lightning has counted the epoch as processed but not as completed: a resumed run would call the hooks
        again and count the epoch twice. So a complete epoch is marked as completed, and its batches are reset. An epoch
        that ``max_steps`` cut short is marked as not processed, so that a longer run continues in the middle of it.
        """
        fit = checkpoint.get("loops", {}).get("fit_loop")
        if fit is None:  # weights only
            return
        epochs, batches = fit["epoch_progress"], fit["epoch_loop.batch_progress"]
        complete = batches["current"]["ready"] >= trainer.num_training_batches
        for progress in (epochs["total"], epochs["current"]):
            reached = progress["processed" if complete else "completed"]
            progress["processed"] = progress["completed"] = reached
        if complete:
            batches["current"] = dict.fromkeys(batches["current"], 0)
            batches["is_last_batch"] = False

    def save(self, trainer: Any) -> None:
        """Write the checkpoint, with the optimiser's and the loops' state."""
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_step = trainer.global_step

    def _stop_requested(self, trainer: Any) -> bool:
        """Whether any process was asked to stop: all must agree, or the others would wait for it in a collective."""
        return bool(trainer.strategy.reduce_boolean_decision(self.interruption.requested, all=False))
