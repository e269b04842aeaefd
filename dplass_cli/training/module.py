"""The Lightning module: mix on the device, separate, compare. The same for adapters and for whole networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dplass_cli.audio.level import TRAINED_RANGE_DB, near_level
from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.mixer import mix
from dplass_cli.data.samples import Batch, Unreadable
from dplass_cli.errors import InputError, RunError, some
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.training.job import TrainingJob
from dplass_cli.training.lightning_classes import LightningModule
from dplass_cli.training.losses import make_loss
from dplass_cli.training.optimizers import OPTIMIZERS, PLATEAU, SCHEDULES, check_names

SCORES = ("val_sdri", "val_si_sdr")
"""Names of the validation scores, dB, in Lightning's metrics and in ``metrics.csv``."""

_DIVERGED = "start again in another --workspace with a lower train.optimizer.learning_rate or --precision 32-true"


class SeparationModule(LightningModule):
    """Trains whatever of a network requires a gradient; the rest is frozen.

    A checkpoint contains the trained tensors only: the frozen ones come from the base.

    Attributes:
        bad_files: {skipped file: reason}.
        last_loss: loss of the last step that :meth:`check_loss` has seen.
        epoch_loss: mean loss of the last complete epoch.
        examples: (mixture, target, estimate) of the first validation items, each float32 (T,).
    """

    def __init__(self, job: TrainingJob, batches: EpochBatches, settings: TrainSettings) -> None:
        super().__init__()
        check_names(settings.optimizer)
        self.loss = make_loss(settings.loss_type)
        self.job, self.network, self.batches, self.settings = job, job.network, batches, settings
        self.bad_files: dict[str, str] = {}
        self.last_loss: float | None = None
        self.epoch_loss = float("nan")
        self.examples: list[tuple[Tensor, Tensor, Tensor]] = []
        self._unchecked: tuple[_DeferredScalar, Tensor] | None = None  # loss and sample numbers of the latest step
        self._loss_sum, self._loss_count = 0.0, 0  # over the checked steps of this epoch
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._restored_plateau: dict[str, Any] = {}
        self._scores: dict[int, Tensor] = {}  # {domain: (sum of SDRi, sum of SI-SDR, number of items)}

    def on_train_epoch_start(self) -> None:
        self._loss_sum, self._loss_count = 0.0, 0

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Switch batch norm to the base's statistics, or to the batches'. Lightning's fit loop resets the mode."""
        if self.network.training != self.job.adapt_batchnorm:
            self.network.train(self.job.adapt_batchnorm)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mix a batch, separate it, and return its loss."""
        self.check_loss()
        self._record_unreadable(batch.unreadable)
        with torch.autocast(self.device.type, enabled=False):
            mixture, target = self._heard(
                *mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db, batch.present)
            )
        if self.job.teacher is not None:
            target = self.job.teacher(mixture[:, None], batch.condition, batch.domain)[:, 0].float()
        estimate = self.network(mixture[:, None], batch.condition)[:, 0]
        with torch.autocast(self.device.type, enabled=False):
            loss = self.loss(estimate.float(), target, mixture).mean() * self.batches.weight(index)
        self._unchecked = _DeferredScalar(loss.detach()), batch.number
        self.log("train_loss", loss.detach())
        return loss

    def _heard(self, mixture: Tensor, target: Tensor, range_db: float = TRAINED_RANGE_DB) -> tuple[Tensor, Tensor]:
        """Mixtures and their targets, float32 (B, T), within ``range_db`` of the network's input level."""
        config = self.network.config
        if config.input_level_db is None:
            return mixture, target
        offset, gain = near_level(mixture, config.sample_rate, config.input_level_db, range_db)
        return (mixture - offset) * gain, target * gain

    def check_loss(self) -> None:
        """Check the loss of the latest step. This happens one step late, so that no step waits for the GPU.

        Raises:
            NotFinite: it is NaN or infinite.
        """
        if self._unchecked is None:
            return
        (loss, numbers), self._unchecked = self._unchecked, None
        self.last_loss = loss.value()
        if not math.isfinite(self.last_loss):
            raise NotFinite(self.global_step, numbers.tolist())
        self._loss_sum += self.last_loss
        self._loss_count += 1

    def on_train_epoch_end(self) -> None:
        """Compute the epoch's mean loss over all processes; step the plateau schedule with the validation SDRi."""
        self.check_loss()
        mean = torch.tensor(self._loss_sum / max(1, self._loss_count), dtype=torch.float64)
        if self.trainer.world_size > 1:
            mean = self.trainer.strategy.reduce(mean.float().to(self.device), reduce_op="mean")
        self.epoch_loss = float(mean)
        score = self.trainer.callback_metrics.get(SCORES[0])
        if self._plateau is not None and score is not None:
            self._plateau.step(float(score))

    def on_validation_epoch_start(self) -> None:
        self._scores, self.examples = {}, []

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        """Score a batch of validation mixtures. Items with a silent target have no score."""
        mixture, target = self._heard(batch["mixture"], batch["target"], range_db=0.0)
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
        """Log the mean SDRi and SI-SDR in dB over all items, and per domain where there are several."""
        total = torch.stack(list(self._scores.values())).sum(dim=0)
        groups = {"": total}
        if len(self._scores) > 1:
            groups |= {f"/domain{domain}": sums for domain, sums in self._scores.items()}
        for group, sums in groups.items():
            for name, value in zip(SCORES, sums[:2] / sums[2].clamp(min=1), strict=True):
                self.log(f"{name}{group}", value, rank_zero_only=False)

    def configure_optimizers(self) -> Any:
        """The optimiser over the trainable parameters, and the schedule."""
        chosen = self.settings.optimizer
        trainable = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = OPTIMIZERS[chosen.optimizer_type](trainable, chosen)
        if chosen.schedule == PLATEAU:
            # Lightning would step this scheduler after the callbacks have written the epoch's checkpoint, so a resumed
            # run would miss a step. on_train_epoch_end steps it instead, which comes before the checkpoint.
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode="max", factor=chosen.factor, patience=chosen.patience
            )
            if self._restored_plateau:
                self._plateau.load_state_dict(self._restored_plateau)
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)
        schedule = SCHEDULES[chosen.schedule]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, chosen, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Drop the frozen tensors; add what resuming needs.

        Raises:
            RunError: a trained tensor contains NaN or infinity.
        """
        self.check_loss()
        trained = {f"network.{name}" for name, parameter in self.network.named_parameters() if parameter.requires_grad}
        if self.job.adapt_batchnorm:
            trained |= {f"network.{name}" for name, _ in self.network.named_buffers()}
        state = {key: value for key, value in checkpoint["state_dict"].items() if key in trained}
        for key, value in state.items():
            if not torch.isfinite(value).all():
                raise RunError(f"{key} is not finite after step {self.global_step}; {_DIVERGED}")
        checkpoint["state_dict"] = state
        checkpoint["dplass"] = {
            "epoch_loss": (self._loss_sum, self._loss_count),
            "bad_files": self.bad_files,
            "plateau": self._plateau.state_dict() if self._plateau else {},
            "items_a_step": self.batches.size * self.batches.world,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Complete the trained tensors with the network's own frozen ones, and check that the run can be resumed.

        Raises:
            InputError: the batch size over all devices differs, or more epochs are done than ``max_epochs``.
        """
        saved = checkpoint["dplass"]
        items_per_step = self.batches.size * self.batches.world
        if saved["items_a_step"] != items_per_step:
            raise InputError(
                f"this run uses {saved['items_a_step']} mixtures per step over all devices, not {items_per_step};"
                " resume with the original number of devices and train.batch_size_per_device"
            )
        # At this point Lightning has restored the checkpoint, not yet the loops.
        done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["total"]["completed"]
        if done > self.settings.max_epochs:
            raise InputError(
                f"this run has completed {done} epochs, more than train.max_epochs {self.settings.max_epochs};"
                " raise train.max_epochs"
            )
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}
        self._loss_sum, self._loss_count = saved["epoch_loss"]
        self._restored_plateau = saved["plateau"]
        self.bad_files.update(saved["bad_files"])

    def _record_unreadable(self, unreadable: Sequence[Unreadable]) -> None:
        self.bad_files.update(unreadable)
        most = self.job.samples.settings.max_bad_files
        if len(self.bad_files) > most:
            raise RunError(
                f"{len(self.bad_files)} files cannot be read (data.max_bad_files is {most}):"
                f" {some(self.bad_files.values(), 3)}; repair or remove them"
            )


class _DeferredScalar:
    """A number that the GPU may still be computing: copied to pinned memory without waiting for it."""

    def __init__(self, number: Tensor) -> None:
        self._number = number
        self._copied: torch.cuda.Event | None = None
        if number.is_cuda:
            self._number = torch.empty((), dtype=number.dtype, pin_memory=True).copy_(number, non_blocking=True)
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record()

    def value(self) -> float:
        if self._copied is not None:
            self._copied.synchronize()
        return float(self._number)


class NotFinite(RunError):
    """The loss of a step is NaN or infinite.

    Attributes:
        numbers: the sample numbers of the step's batch.
    """

    def __init__(self, step: int, numbers: list[int]) -> None:
        super().__init__(f"the loss is not finite at step {step}; {_DIVERGED}")
        self.numbers = numbers
