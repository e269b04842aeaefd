"""Settings of training. Names follow AudioSep's published ``audiosep_base.yaml``; defaults are the published run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dplass_cli.options.declaration import Options, check_field, option, section, setting


@dataclass(frozen=True)
class OptimizerSettings(Options):
    """The optimizer and its learning rate."""

    optimizer_type: str = setting("AdamW", "AdamW, Adam or SGD.")
    learning_rate: float = setting(4e-4, "Learning rate.", above=0)
    weight_decay: float = setting(0.0, "Weight decay.", least=0)
    amsgrad: bool = setting(True, "AMSGrad variant of Adam and AdamW.")
    momentum: float = setting(0.9, "Momentum of SGD.", least=0)
    schedule: str = setting(
        "plateau",
        "plateau (the rate falls when the validation SDRi does not improve), constant, cosine, or AudioSep's"
        " linear_warm_up and constant_warm_up.",
    )
    factor: float = setting(0.7, "For plateau: the rate is multiplied by this.", above=0, below=1)
    patience: int = setting(5, "For plateau: epochs without a better validation SDRi before the rate falls.", least=0)
    warm_up_steps: int = setting(0, "Steps until the full rate; all schedules but plateau.", least=0)
    reduce_lr_steps: int = setting(
        1_000_000, "For linear_warm_up: the rate falls to 0.9 of it each time this many steps are done.", least=1
    )


@dataclass(frozen=True)
class TrainSettings(Options):
    """How the weights are trained."""

    optimizer: OptimizerSettings = section(OptimizerSettings, "The optimizer and its learning rate.")
    batch_size_per_device: int = setting(20, "Mixtures per batch on each device.", least=1)
    accumulate: int = setting(1, "Batches whose gradients are added up for one step.", least=1)
    num_workers: int = setting(2, "Processes that read audio; 0 reads in the training process.", resume="free", least=0)
    loss_type: str | dict[str, float] = setting("l1_wav", "Name of a loss, or {name: weight} for a weighted sum.")
    max_epochs: int = option(150, "Epochs per domain; each passes every training row once.", resume="longer", least=1)
    min_epochs: int = setting(1, "Epochs before patience may end the training.", resume="longer", least=0)
    max_steps: int = option(-1, "Stop a domain after this many optimizer steps.", shown="no limit", resume="longer")
    steps_per_epoch: int = setting(0, "End an epoch after this many batches.", shown="0: all rows", least=0)
    patience: int = setting(
        0,
        "End the training after this many epochs without a better validation SDRi.",
        shown="0: never",
        resume="longer",
        least=0,
    )
    save_top_k: int = setting(1, "Best checkpoints that are kept.", resume="free", least=1)
    save_step_frequency: int = setting(
        1000, "Steps between two saves of the last checkpoint; it is saved per epoch, too.", resume="free", least=1
    )
    gradient_clip: float = setting(1.0, "Largest gradient norm; 0 does not clip.", least=0)
    sync_batchnorm: bool = setting(False, "Batch norms that learn statistics use the batches of all devices.")
    random_seed: int = setting(42, "Seed of everything random.", least=0, most=2**32 - 1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = option("32-true", "32-true, bf16-mixed or 16-mixed.")
    examples: int = setting(
        3, "Validation items whose audio and spectrograms are shown in TensorBoard.", resume="free", least=0
    )
    wandb_project: str = setting("", "Also log to this project of Weights & Biases.", resume="free")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field(self, "max_steps", self.max_steps >= 1 or self.max_steps == -1, "at least 1, or -1 for no limit")
