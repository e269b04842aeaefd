"""Options of ``sweep``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dplass_cli.options.declaration import argument, check_field, option
from dplass_cli.options.model_options import DEVICE, MODELS


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; whole ones if both are. ``log`` draws them evenly over orders of magnitude."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        check_field(self, "low", self.low < self.high, f"below high, {self.high}")
        check_field(self, "low", self.low > 0 or not self.log, "positive where log is true")

    @property
    def whole(self) -> bool:
        """Whether it is of whole numbers."""
        return self.low.is_integer() and self.high.is_integer() and not self.log

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and largest number, whole if all are."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True)
class SweepSettings:
    """The section ``sweep`` of a configuration."""

    parameters: dict[str, Any] = option(
        factory=dict, help="{key.path of a training option: list of choices, or low, high and log of a range}."
    )
    trials: int = option(default=20, help="Trainings in total; each uses what the earlier ones showed (TPE).")
    prune: bool = option(
        default=True, help="End a training whose validation SDRi is below the median of the earlier ones."
    )
    seed: int = option(default=42, help="Seed of the search.")

    def __post_init__(self) -> None:
        check_field(self, "trials", self.trials >= 1, "at least 1")


@dataclass(frozen=True)
class SweepOptions:
    """Options of ``sweep``.

    The workspace holds a folder per training, ``sweep.journal`` (the state of the search) and ``sweep.json``.
    """

    config: Path = argument("CONFIG", help="A configuration of train with a section sweep.")
    workspace: Path = option("--workspace", help="Folder of the trainings and of the results.")
    partition: Path | None = option("--data", default=None, help="The partition folder.")
    domain: str | None = option("--domain", default=None, shown="all", help="all, or numbers such as 0,3.")
    base_checkpoint: str | None = option(
        "--base-checkpoint",
        default=None,
        shown="tiny",
        hidden=("--checkpoint_path",),
        panel=MODELS,
        help="Base model: tiny or a checkpoint.",
    )
    encoder: str | None = option(
        "--encoder", default=None, shown="the base's own", panel=MODELS, help="Query encoder: tiny or a file."
    )
    device: str | None = option(
        "--device", default=None, shown="auto", panel=DEVICE, help="auto, cpu, cuda, cuda:N or mps."
    )
    settings: tuple[str, ...] = option(
        "--set", default=(), help="One training option as key.path=value; overrides the configuration. Repeatable."
    )
    train: dict[str, Any] = option(factory=dict, help="Other training options by key.path; override all others.")
    trials: int | None = option(
        "--trials", default=None, shown="the section's, 20", help="Trainings of the search in total."
    )
    seeds: int = option(
        "--seeds", default=0, help="Train the best settings (without ranges: the configuration) with this many seeds."
    )

    def __post_init__(self) -> None:
        valid = self.seeds == 0 or self.seeds >= 2
        check_field(self, "seeds", valid, "at least 2 for a standard deviation, or 0 for none")
        check_field(self, "trials", self.trials is None or self.trials >= 1, "at least 1")

    @property
    def overrides(self) -> dict[str, Any]:
        """{key.path: value} of the training options that override the configuration and ``settings``."""
        names = ("partition", "domain", "base_checkpoint", "encoder", "device")
        given = {name: getattr(self, name) for name in names}
        return {**{name: value for name, value in given.items() if value is not None}, **self.train}
