"""Settings of training. Names follow AudioSep's published ``audiosep_base.yaml``; defaults are the published run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import check_field, option, section


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimizer and its learning rate."""

    optimizer_type: str = option(default="AdamW", help="AdamW, Adam or SGD.")
    learning_rate: float = option(default=4e-4, help="Learning rate.")
    weight_decay: float = option(default=0.0, help="Weight decay.")
    amsgrad: bool = option(default=True, help="AMSGrad variant of Adam and AdamW.")
    momentum: float = option(default=0.9, help="Momentum of SGD.")
    schedule: str = option(
        default="plateau",
        help="plateau (the rate falls when the validation SDRi does not improve), constant, cosine, or AudioSep's"
        " linear_warm_up and constant_warm_up.",
    )
    factor: float = option(default=0.7, help="For plateau: the rate is multiplied by this.")
    patience: int = option(
        default=5, help="For plateau: epochs without a better validation SDRi before the rate falls."
    )
    warm_up_steps: int = option(default=0, help="Steps until the full rate; all schedules but plateau.")
    reduce_lr_steps: int = option(
        default=1_000_000, help="For linear_warm_up: the rate falls to 0.9 of it each time this many steps are done."
    )

    def __post_init__(self) -> None:
        check_field(self, "learning_rate", self.learning_rate > 0, "positive")
        for name in ("weight_decay", "momentum", "patience", "warm_up_steps"):
            check_field(self, name, getattr(self, name) >= 0, "at least 0")
        check_field(self, "reduce_lr_steps", self.reduce_lr_steps >= 1, "at least 1")
        check_field(self, "factor", 0 < self.factor < 1, "between 0 and 1")


@dataclass(frozen=True)
class TrainSettings:
    """How the weights are trained."""

    optimizer: OptimizerSettings = section(OptimizerSettings, help="The optimizer and its learning rate.")
    batch_size_per_device: int = option(default=20, help="Mixtures per batch on each device.")
    accumulate: int = option(default=1, help="Batches whose gradients are added up for one step.")
    num_workers: int = option(
        default=2, resume="free", help="Processes that read audio; 0 reads in the training process."
    )
    loss_type: str | dict[str, float] = option(
        default="l1_wav", help="Name of a loss, or {name: weight} for a weighted sum."
    )
    max_epochs: int = option(
        "--max-epochs", default=150, resume="longer", help="Epochs per domain; each passes every training row once."
    )
    min_epochs: int = option(default=1, resume="longer", help="Epochs before patience may end the training.")
    max_steps: int = option(
        "--max-steps",
        default=-1,
        shown="no limit",
        resume="longer",
        help="Stop a domain after this many optimizer steps.",
    )
    steps_per_epoch: int = option(default=0, shown="0: all rows", help="End an epoch after this many batches.")
    patience: int = option(
        default=0,
        shown="0: never",
        resume="longer",
        help="End the training after this many epochs without a better validation SDRi.",
    )
    save_top_k: int = option(default=1, resume="free", help="Best checkpoints that are kept.")
    save_step_frequency: int = option(
        default=1000, resume="free", help="Steps between two saves of the last checkpoint; it is saved per epoch, too."
    )
    gradient_clip: float = option(default=1.0, help="Largest gradient norm; 0 does not clip.")
    sync_batchnorm: bool = option(
        default=False, help="Batch norms that learn statistics use the batches of all devices."
    )
    random_seed: int = option(default=42, help="Seed of everything random.")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = option(
        "--precision", default="32-true", help="32-true, bf16-mixed or 16-mixed."
    )
    examples: int = option(
        default=3, resume="free", help="Validation items whose audio and spectrograms are shown in TensorBoard."
    )
    wandb_project: str = option(default="", resume="free", help="Also log to this project of Weights & Biases.")

    def __post_init__(self) -> None:
        for name in ("batch_size_per_device", "accumulate", "max_epochs", "save_top_k", "save_step_frequency"):
            check_field(self, name, getattr(self, name) >= 1, "at least 1")
        for name in ("num_workers", "min_epochs", "steps_per_epoch", "patience", "gradient_clip", "examples"):
            check_field(self, name, getattr(self, name) >= 0, "at least 0")
        check_field(self, "max_steps", self.max_steps >= 1 or self.max_steps == -1, "at least 1, or -1 for no limit")
        check_field(self, "random_seed", 0 <= self.random_seed < 2**32, f"from 0 to {2**32 - 1}")
