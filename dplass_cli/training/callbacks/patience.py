"""Early stopping."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import EarlyStopping

from dplass_cli.training.module import SCORES


class Patience(EarlyStopping):
    """Ends a run after some epochs without a better validation SDRi. A run that it ended stays ended when resumed.

    The class's name is the key of its state in checkpoints.

    Args:
        epochs: without improvement.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(SCORES[0], mode="max", patience=epochs, check_on_train_epoch_end=True)

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Stop before the first step where patience has run out already, which Lightning does not restore."""
        trainer.should_stop = self.wait_count >= self.patience and trainer.current_epoch >= trainer.min_epochs

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Withdraw a stop that ``min_epochs`` has delayed: SDRi may improve until then."""
        trainer.should_stop = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count, but not the patience: a resumed run may have another one."""
        super().load_state_dict({**state_dict, "patience": self.patience})
