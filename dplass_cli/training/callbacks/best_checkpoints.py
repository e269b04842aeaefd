"""Keeping the weights of the epochs with the best validation SDRi."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.callbacks import Checkpoint

from dplass_cli.storage import remove_file
from dplass_cli.training.module import SCORES


class SavedEpoch(NamedTuple):
    """An epoch whose weights are kept. Checkpoints store it as a plain tuple in this order.

    Attributes:
        sdri: validation SDRi in dB.
        si_sdr: validation SI-SDR in dB.
        epoch: number of the epoch, from 0.
        file: name of the checkpoint.
    """

    sdri: float
    si_sdr: float
    epoch: int
    file: str


class BestCheckpoints(Checkpoint):
    """Keeps the trained weights of the ``count`` epochs with the best validation SDRi.

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
        sdri, si_sdr = (float(trainer.callback_metrics.get(name, torch.nan)) for name in SCORES)
        if not math.isfinite(sdri) or (len(self.kept) == self.count and sdri <= self.kept[-1].sdri):
            return
        new = SavedEpoch(sdri, si_sdr, trainer.current_epoch, f"step{trainer.global_step:08d}.ckpt")
        trainer.save_checkpoint(self.folder / new.file, weights_only=True)
        self.kept = sorted([*self.kept, new], key=lambda saved: -saved.sdri)
        for dropped in self.kept[self.count :]:
            if trainer.is_global_zero:
                remove_file(self.folder / dropped.file)
        del self.kept[self.count :]
        if self.kept[0] == new:
            self.on_improvement()

    def state_dict(self) -> dict[str, Any]:
        """The kept epochs, so that a resumed run compares with the epochs before it."""
        return {"kept": [tuple(saved) for saved in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the kept epochs, except those whose files later epochs replaced before the run was killed.

        The resumed run repeats those later epochs.
        """
        kept = (SavedEpoch(*entry) for entry in state["kept"])
        self.kept = [saved for saved in kept if (self.folder / saved.file).is_file()]
