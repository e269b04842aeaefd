"""Validation at the end of a run that stops within an epoch."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback


class FinalValidation(Callback):
    """Validates the last weights when ``max_steps`` ends a run in the middle of an epoch.

    Lightning would end without validation at ``max_steps``; but it validates before it obeys ``should_stop``.
    """

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Request the stop after the last step."""
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.fit_loop.min_epochs = 0  # otherwise Lightning ignores should_stop until min_epochs
            trainer.should_stop = True
