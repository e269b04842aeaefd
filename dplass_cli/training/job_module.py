"""What the Lightning modules of all jobs share: losses, optimisers, checkpoints, unreadable files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.samples import Unreadable
from dplass_cli.errors import InputError, RunError, some
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.training.job import Job
from dplass_cli.training.lightning_classes import LightningModule
from dplass_cli.training.optimizers import OPTIMIZERS, PLATEAU, SCHEDULES, check_names

_DIVERGED = "start again in another --workspace with a lower train.optimizer.learning_rate or --precision 32-true"


class JobModule(LightningModule):
    """Trains whatever of a job's network requires a gradient; the rest is frozen.

    A checkpoint contains the trained tensors only: the frozen ones come from the job.

    Class attributes:
        scores: names of the validation scores in Lightning's metrics and in ``metrics.csv``, the higher the better; the
            first decides which epoch is the best.

    Attributes:
        bad_files: {skipped file: reason}.
        last_loss: loss of the last step that :meth:`check_loss` has seen.
        epoch_loss: mean loss of the last complete epoch.
        examples: (mixture, target, estimate) of the first validation items, each float32 (T,), for TensorBoard.
    """

    scores: ClassVar[tuple[str, ...]]

    def __init__(self, job: Job, batches: EpochBatches, settings: TrainSettings) -> None:
        super().__init__()
        check_names(settings.optimizer)
        self.job, self.network, self.batches, self.settings = job, job.network, batches, settings
        self.bad_files: dict[str, str] = {}
        self.last_loss: float | None = None
        self.epoch_loss = float("nan")
        self.examples: list[tuple[Tensor, Tensor, Tensor]] = []
        self._unchecked: tuple[_DeferredScalar, Tensor] | None = None  # loss and sample numbers of the latest step
        self._loss_sum, self._loss_count = 0.0, 0  # over the checked steps of this epoch
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self._restored_plateau: dict[str, Any] = {}

    @staticmethod
    def shown_score(score: float) -> str:
        """The first of the scores in words, for progress and log."""
        raise NotImplementedError

    @staticmethod
    def outcome(scores: Mapping[str, float]) -> dict[str, Any]:
        """The attributes of :class:`Trained` that say how good the best epoch is, from its {score: value}."""
        raise NotImplementedError

    def counts(self) -> dict[str, Any]:
        """What else :class:`Trained` counts, by its attributes."""
        return {}

    def on_train_epoch_start(self) -> None:
        self._loss_sum, self._loss_count = 0.0, 0

    def on_train_batch_start(self, batch: Any, index: int) -> None:
        """Switch batch norm to the base's statistics, or to the batches'. Lightning's fit loop resets the mode."""
        if self.network.training != self.job.adapt_batchnorm:
            self.network.train(self.job.adapt_batchnorm)

    def record_loss(self, loss: Tensor, numbers: Tensor) -> None:
        """Record the loss of a step and the numbers of its samples."""
        self._unchecked = _DeferredScalar(loss.detach()), numbers
        self.log("train_loss", loss.detach())

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
        """Compute the epoch's mean loss over all processes; step the plateau schedule with the first score."""
        self.check_loss()
        mean = torch.tensor(self._loss_sum / max(1, self._loss_count), dtype=torch.float64)
        if self.trainer.world_size > 1:
            mean = self.trainer.strategy.reduce(mean.float().to(self.device), reduce_op="mean")
        self.epoch_loss = float(mean)
        score = self.trainer.callback_metrics.get(self.scores[0])
        if self._plateau is not None and score is not None:
            self._plateau.step(float(score))

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
                f"this run uses {saved['items_a_step']} items per step over all devices, not {items_per_step};"
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

    def record_unreadable(self, unreadable: Sequence[Unreadable]) -> None:
        """Record skipped files.

        Raises:
            RunError: there are too many.
        """
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
