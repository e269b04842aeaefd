"""The checkpoint that a run is resumed from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Checkpoint

from dplass_cli.training.callbacks.stopping import Interruption


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
        """Save when it is time or the run is asked to stop.

        Raises:
            KeyboardInterrupt: the run was asked to stop; the checkpoint is written.
        """
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
        """Save.

        Raises:
            KeyboardInterrupt: the run was asked to stop; the checkpoint is written.
        """
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
