"""The training loop's body: mix on the device, separate, compare. One module for adapters and for whole networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import lightning
import torch
from torch import Tensor

from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.mixer import mix
from dplass_cli.data.samples import Batch, Unreadable
from dplass_cli.errors import InputError, RunError, some
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.training.losses import make_loss
from dplass_cli.training.optimizers import OPTIMIZERS, PLATEAU, SCHEDULES, check_names
from dplass_cli.training.train_settings import TrainSettings

SCORES = ("val_sdri", "val_si_sdr")

Teacher = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(mixture (B, 1, T), condition (B, D), domain int64 (B,)) -> the output (B, 1, T) that a student learns."""


class SeparationTraining(lightning.LightningModule):
    """Trains whatever of a network requires a gradient; the rest is frozen.

    A checkpoint holds the trained tensors only: the frozen ones come from the base.

    Args:
        network: with adapters injected, or with all parameters trainable.
        batches: how an epoch's samples are shared out.
        settings: optimiser, loss and the like.
        moving_statistics: batch norm uses and learns the statistics of batches, as when a whole network is trained.
        teacher: what gives the targets; None for the true ones.
        max_bad_files: more distinct unreadable files than this stop the run.

    Attributes:
        bad_files: the files that were skipped and why.
        last_loss: the loss of the last step that was looked at; a step behind, so that nothing waits for a GPU.
        epoch_loss: the mean loss of the last whole epoch.
        examples: of the first validation items asked for: (mixture, target, estimate), each float32 (T,).
    """

    def __init__(
        self,
        network: ResUNet30,
        batches: EpochBatches,
        settings: TrainSettings,
        moving_statistics: bool = False,
        teacher: Teacher | None = None,
        max_bad_files: int = 20,
    ) -> None:
        super().__init__()
        check_names(settings.optimizer)
        self.loss = make_loss(settings.loss_type)
        self.network, self.batches, self.settings = network, batches, settings
        self.moving_statistics, self.teacher, self.max_bad_files = moving_statistics, teacher, max_bad_files
        self.bad_files: dict[str, str] = {}
        self.last_loss: float | None = None
        self.epoch_loss = float("nan")
        self.examples: list[tuple[Tensor, Tensor, Tensor]] = []
        self._latest: tuple[_OnItsWay, Tensor] | None = None  # loss and sample numbers of the step not yet looked at
        self._epoch = (0.0, 0)  # sum and number of this epoch's losses
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._restored: dict[str, Any] = {}
        self._scores: dict[int, Tensor] = {}  # by domain: sums of the scores and the number of items

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's mean loss anew."""
        self._epoch = (0.0, 0)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Keep batch norm on the base's statistics unless they may move."""
        if self.network.training != self.moving_statistics:
            self.network.train(self.moving_statistics)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mix a batch, separate it, return its loss."""
        self.settle()
        self._note_unreadable(batch.unreadable)
        with torch.autocast(self.device.type, enabled=False):
            mixture, target = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db, batch.present)
        if self.teacher is not None:
            target = self.teacher(mixture[:, None], batch.condition, batch.domain)[:, 0].float()
        estimate = self.network(mixture[:, None], batch.condition)[:, 0]
        with torch.autocast(self.device.type, enabled=False):
            loss = self.loss(estimate.float(), target, mixture).mean() * self.batches.weight(index)
        self._latest = _OnItsWay(loss.detach()), batch.number
        self.log("train_loss", loss.detach())
        return loss

    def settle(self) -> None:
        """Look at the loss of the last step.

        Raises:
            NotFinite: it is not a finite number.
        """
        if self._latest is None:
            return
        (loss, numbers), self._latest = self._latest, None
        self.last_loss = loss.value()
        if not math.isfinite(self.last_loss):
            raise NotFinite(self.global_step, numbers.tolist())
        self._epoch = self._epoch[0] + self.last_loss, self._epoch[1] + 1

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss; let the rate fall if validation has stood still."""
        self.settle()
        mean = torch.tensor(self._epoch[0] / max(1, self._epoch[1]), dtype=torch.float64)
        if self.trainer.world_size > 1:
            mean = self.trainer.strategy.reduce(mean.float().to(self.device), reduce_op="mean")
        self.epoch_loss = float(mean)
        score = self.trainer.callback_metrics.get(SCORES[0])
        if self._plateau is not None and score is not None:
            self._plateau.step(float(score))

    def on_validation_epoch_start(self) -> None:
        """Begin the scores anew."""
        self._scores, self.examples = {}, []

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        """Score a batch of validation mixtures. Items with a silent target have no score."""
        mixture, target = batch["mixture"], batch["target"]
        estimate = self.network(mixture[:, None], batch["condition"])[:, 0].float()
        sdr, si_sdr = batch_scores(target, estimate)
        scores = torch.stack((sdr - batch_scores(target, mixture)[0], si_sdr, torch.ones_like(sdr)), dim=1)
        values = scores.float().to(target.device) * (target.abs().amax(dim=-1) > 0)[:, None]
        for domain, row in zip(batch["domain"].tolist(), values, strict=True):
            self._scores[domain] = self._scores.get(domain, torch.zeros_like(row)) + row
        for item in zip(mixture, target, estimate, strict=True):
            if len(self.examples) < self.settings.examples:
                self.examples.append(tuple(part.cpu() for part in item))

    def on_validation_epoch_end(self) -> None:
        """Log the mean SDRi and SI-SDR in dB over all items, and of each domain where there are several."""
        total = torch.stack(list(self._scores.values())).sum(dim=0)
        groups = {"": total}
        if len(self._scores) > 1:
            groups |= {f"/domain{domain}": sums for domain, sums in self._scores.items()}
        for group, sums in groups.items():
            for name, value in zip(SCORES, sums[:2] / sums[2].clamp(min=1), strict=True):
                self.log(f"{name}{group}", value, rank_zero_only=False)

    def configure_optimizers(self) -> Any:
        """The optimiser over what is trainable, with the schedule of the settings."""
        chosen = self.settings.optimizer
        trainable = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = OPTIMIZERS[chosen.optimizer_type](trainable, chosen)
        if chosen.schedule == PLATEAU:
            # Not the trainer's to step: it does so after checkpoints are written, and a resumed run would differ.
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode="max", factor=chosen.factor, patience=chosen.patience
            )
            if self._restored:
                self._plateau.load_state_dict(self._restored)
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)
        shape = SCHEDULES[chosen.schedule]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: shape(step, chosen, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen tensors out; refuse to keep weights that are not finite."""
        self.settle()
        kept = {f"network.{name}" for name, parameter in self.network.named_parameters() if parameter.requires_grad}
        if self.moving_statistics:
            kept |= {f"network.{name}" for name, _ in self.network.named_buffers()}
        state = {key: value for key, value in checkpoint["state_dict"].items() if key in kept}
        for key, value in state.items():
            if not torch.isfinite(value).all():
                raise RunError(f"{key} is not finite after step {self.global_step}; {_REMEDY}")
        checkpoint["state_dict"] = state
        checkpoint["dplass"] = {
            "epoch_loss": self._epoch,
            "bad_files": self.bad_files,
            "plateau": self._plateau.state_dict() if self._plateau else {},
            "items_a_step": self.batches.size * self.batches.world,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the frozen tensors from the network at hand."""
        own = checkpoint["dplass"]
        now = self.batches.size * self.batches.world
        if own["items_a_step"] != now:
            raise InputError(
                f"this run takes {own['items_a_step']} mixtures a step on all devices, not {now};"
                " go on with as many devices and train.batch_size_per_device as it was begun with"
            )
        done, most = checkpoint["loops"]["fit_loop"]["epoch_progress"]["total"]["completed"], self.settings.max_epochs
        if done > most:
            raise InputError(f"this run has done {done} epochs already, more than train.max_epochs {most}; give more")
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}
        self._epoch, self._restored = tuple(own["epoch_loss"]), own["plateau"]
        self.bad_files.update(own["bad_files"])

    def _note_unreadable(self, unreadable: Sequence[Unreadable]) -> None:
        self.bad_files.update(unreadable)
        if len(self.bad_files) > self.max_bad_files:
            raise RunError(
                f"{len(self.bad_files)} files cannot be read (data.max_bad_files is {self.max_bad_files}):"
                f" {some(self.bad_files.values(), 3)}; repair or remove them"
            )


_REMEDY = "begin again in another --workspace with a lower train.optimizer.learning_rate or --precision 32-true"


class _OnItsWay:
    """A number that a device is still computing; it is copied when it is there, and nobody waits meanwhile."""

    def __init__(self, number: Tensor) -> None:
        self._number, self._there = number, cast(Any, None)
        if number.is_cuda:
            self._number = torch.empty((), dtype=number.dtype, pin_memory=True).copy_(number, non_blocking=True)
            self._there = cast(Any, torch.cuda.Event)()
            self._there.record()

    def value(self) -> float:
        """The number, when it is there."""
        if self._there is not None:
            self._there.synchronize()
        return float(self._number)


class NotFinite(RunError):
    """The loss of a step is not a finite number.

    Attributes:
        numbers: the sample numbers of the step's batch.
    """

    def __init__(self, step: int, numbers: list[int]) -> None:
        super().__init__(f"the loss is not finite at step {step}; {_REMEDY}")
        self.numbers = numbers
