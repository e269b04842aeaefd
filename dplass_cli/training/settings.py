"""Settings of training. Names follow AudioSep's published ``audiosep_base.yaml``; defaults are the published run's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW (amsgrad, no weight decay) with ReduceLROnPlateau on the validation SDRi, or a cosine over the run."""

    learning_rate: float = 4e-4
    schedule: Literal["plateau", "cosine"] = "plateau"
    factor: float = 0.7
    patience: int = 5
    warm_up_steps: int = 0


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are trained.

    Attributes:
        batch_size_per_device: mixtures a step on each device.
        num_workers: processes that read audio; 0 reads in the training process.
        loss_type: a name of :data:`dplass_cli.training.losses.LOSSES`.
        max_epochs: epochs; one passes every training row once.
        max_steps: stop after so many optimiser steps; -1 for no limit.
        gradient_clip: largest gradient norm.
        random_seed: everything random follows from it.
        precision: Lightning's name of the arithmetic (``32-true``, ``bf16-mixed``, ``16-mixed``).
    """

    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    batch_size_per_device: int = 20
    num_workers: int = 2
    loss_type: str = "l1_wav"
    max_epochs: int = 150
    max_steps: int = -1
    gradient_clip: float = 1.0
    random_seed: int = 42
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("batch_size_per_device", "max_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
