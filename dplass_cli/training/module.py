"""The training loop's body: mix on the device, separate, compare. One module for adapters and for whole networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor

from dplass_cli.data.mixing import mix
from dplass_cli.data.samples import Batch
from dplass_cli.errors import InputError, RunError, nearest, some
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.training.losses import LOSSES
from dplass_cli.training.settings import TrainSettings


class SeparationTraining(lightning.LightningModule):
    """Trains whatever of a network requires a gradient; the rest is frozen.

    A checkpoint holds the trained tensors only: the frozen ones come from the base.

    Args:
        network: with adapters injected, or with all parameters trainable.
        embeddings: float32 (N, D), the query embeddings that batches point into.
        settings: optimiser, loss and the like.
        moving_statistics: batch norm uses and learns the statistics of batches, as when a whole network is trained.
        max_bad_files: more distinct unreadable files than this stop the run.
    """

    embeddings: Tensor

    def __init__(
        self,
        network: ResUNet30,
        embeddings: Tensor,
        settings: TrainSettings,
        moving_statistics: bool = False,
        max_bad_files: int = 20,
    ) -> None:
        super().__init__()
        if settings.loss_type not in LOSSES:
            raise InputError(f"train.loss_type {settings.loss_type!r} is unknown{nearest(settings.loss_type, LOSSES)}")
        self.network, self.settings, self.moving_statistics = network, settings, moving_statistics
        self.loss = LOSSES[settings.loss_type]
        self.register_buffer("embeddings", embeddings, persistent=False)
        self.max_bad_files = max_bad_files
        self.bad_files: dict[str, str] = {}

    def on_train_epoch_start(self) -> None:
        """Keep batch norm on the base's statistics unless they may move."""
        self.network.train(self.moving_statistics)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mix a batch, separate it, return its loss."""
        self._note_unreadable(batch.unreadable)
        with torch.autocast(self.device.type, enabled=False):
            mixture, target = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db)
        estimate = self.network(mixture[:, None], self.embeddings[batch.query])[:, 0]
        loss = self.loss(estimate.float(), target)
        if not torch.isfinite(loss):
            raise RunError(
                f"the loss is not finite at step {self.global_step}; lower train.optimizer.learning_rate"
                " or use --precision 32-true; the last checkpoint is kept"
            )
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=len(target))
        return loss

    def validation_step(self, batch: dict[str, Tensor], index: int) -> None:
        """Log the mean SDRi in dB of a batch of validation mixtures."""
        mixture, target, query = batch["mixture"], batch["target"], batch["query"]
        estimate = self.network(mixture[:, None], self.embeddings[query])[:, 0].float()
        improvement = batch_sdr(target, estimate) - batch_sdr(target, mixture)
        self.log("val_sdri", improvement.mean(), prog_bar=True, batch_size=len(target), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """AdamW over what is trainable, with the schedule of the settings."""
        chosen = self.settings.optimizer
        trainable = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=chosen.learning_rate, weight_decay=0.0, amsgrad=True)
        if chosen.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode="max", factor=chosen.factor, patience=chosen.patience
            )
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_sdri", "strict": False},
            }
        total, warm_up = int(self.trainer.estimated_stepping_batches), chosen.warm_up_steps

        def cosine(step: int) -> float:
            if step < warm_up:
                return (step + 1) / warm_up
            progress = min(1.0, (step - warm_up) / max(1, total - warm_up))
            return 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * progress))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen tensors out."""
        kept = {f"network.{name}" for name, parameter in self.network.named_parameters() if parameter.requires_grad}
        if self.moving_statistics:
            kept |= {f"network.{name}" for name, _ in self.network.named_buffers()}
        checkpoint["state_dict"] = {key: value for key, value in checkpoint["state_dict"].items() if key in kept}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the frozen tensors from the network at hand."""
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}

    def _note_unreadable(self, unreadable: Sequence[tuple[str, str]]) -> None:
        self.bad_files.update(unreadable)
        if len(self.bad_files) > self.max_bad_files:
            raise RunError(
                f"{len(self.bad_files)} files cannot be read (data.max_bad_files is {self.max_bad_files}):"
                f" {some(self.bad_files.values(), 3)}; repair or remove them"
            )


def batch_sdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """SDR in dB of each item: float32 (B, T), (B, T) -> (B,); as :func:`dplass_cli.evaluation.metrics.sdr`."""
    power = reference.square().mean(dim=-1).clamp(min=1e-10)
    error = (estimate - reference).square().mean(dim=-1).clamp(min=1e-10)
    return 10.0 * torch.log10(power / error)
