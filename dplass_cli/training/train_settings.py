"""Settings of training. Names follow AudioSep's published ``audiosep_base.yaml``; defaults are the published run's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights move.

    Attributes:
        optimizer_type: a name of :data:`dplass_cli.training.optimizers.OPTIMIZERS`.
        learning_rate, weight_decay: as usual.
        amsgrad: of Adam and AdamW.
        momentum: of SGD.
        schedule: a name of :data:`dplass_cli.training.optimizers.SCHEDULES`, or ``plateau``: the rate falls by
            ``factor`` after ``patience`` epochs without a better validation SDRi.
        factor, patience: of ``plateau``.
        warm_up_steps: steps until the full rate; of ``cosine`` and AudioSep's schedules.
        reduce_lr_steps: of AudioSep's ``linear_warm_up``: the rate falls to 0.9 of it every so many steps.
    """

    optimizer_type: str = "AdamW"
    learning_rate: float = 4e-4
    weight_decay: float = 0.0
    amsgrad: bool = True
    momentum: float = 0.9
    schedule: str = "plateau"
    factor: float = 0.7
    patience: int = 5
    warm_up_steps: int = 0
    reduce_lr_steps: int = 1_000_000

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, not {self.learning_rate}")
        for name in ("weight_decay", "momentum", "patience", "warm_up_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.reduce_lr_steps < 1:
            raise ValueError(f"reduce_lr_steps must be at least 1, not {self.reduce_lr_steps}")
        if not 0 < self.factor < 1:
            raise ValueError(f"factor must be between 0 and 1, not {self.factor}")


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are trained.

    Attributes:
        batch_size_per_device: mixtures a step on each device.
        accumulate: batches whose gradients are added up to one step.
        num_workers: processes that read audio; 0 reads in the training process.
        loss_type: a name of :data:`dplass_cli.training.losses.LOSSES`, or {name: weight} for a weighted sum.
        max_epochs: epochs; one passes every training row once.
        min_epochs: epochs before ``patience`` may end the training.
        max_steps: stop after so many optimiser steps; -1 for no limit.
        steps_per_epoch: end an epoch after so many batches; 0 passes all rows.
        patience: end after so many epochs without a better validation SDRi; 0 never does.
        save_top_k: the best checkpoints that are kept.
        save_step_frequency: the last checkpoint is replaced after so many steps, and after every epoch.
        gradient_clip: largest gradient norm; 0 leaves gradients as they are.
        sync_batchnorm: batch norm that learns statistics goes by the batches of all devices.
        random_seed: everything random follows from it.
        precision: Lightning's name of the arithmetic (``32-true``, ``bf16-mixed``, ``16-mixed``).
        examples: validation items whose audio and spectrograms are shown in TensorBoard.
        wandb_project: log to this project of Weights & Biases too.
    """

    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    batch_size_per_device: int = 20
    accumulate: int = 1
    num_workers: int = 2
    loss_type: str | dict[str, float] = "l1_wav"
    max_epochs: int = 150
    min_epochs: int = 1
    max_steps: int = -1
    steps_per_epoch: int = 0
    patience: int = 0
    save_top_k: int = 1
    save_step_frequency: int = 1000
    gradient_clip: float = 1.0
    sync_batchnorm: bool = False
    random_seed: int = 42
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    examples: int = 3
    wandb_project: str = ""

    def __post_init__(self) -> None:
        for name in ("batch_size_per_device", "accumulate", "max_epochs", "save_top_k", "save_step_frequency"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("num_workers", "min_epochs", "steps_per_epoch", "patience", "gradient_clip", "examples"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.max_steps < 1 and self.max_steps != -1:
            raise ValueError(f"max_steps must be at least 1, or -1 for no limit, not {self.max_steps}")
        if not 0 <= self.random_seed < 2**32:
            raise ValueError(f"random_seed must be from 0 to {2**32 - 1}, not {self.random_seed}")
