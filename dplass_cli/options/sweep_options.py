"""Options of ``sweep``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dplass_cli.options.declaration import Options, argument, check_field, option, required, setting
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
class SweepSettings(Options):
    """The section ``sweep`` of a configuration."""

    parameters: dict[str, Any] = setting(
        {}, "{key.path of a training option: list of choices, or low, high and log of a range}."
    )
    trials: int = setting(20, "Trainings in total; each uses what the earlier ones showed (TPE).", least=1)
    prune: bool = setting(True, "End a training whose validation SDRi is below the median of the earlier ones.")
    seed: int = setting(42, "Seed of the search.")


@dataclass(frozen=True)
class SweepOptions(Options):
    """Options of ``sweep``.

    The workspace holds a folder per training, ``sweep.journal`` (the state of the search) and ``sweep.json``.
    """

    config: Path = argument("CONFIG", "A configuration of train with a section sweep.")
    workspace: Path = required("Folder of the trainings and of the results.")
    partition: Path | None = option(None, "The partition folder.", "--data")
    domain: str | None = option(None, "all, or numbers such as 0,3.", shown="all")
    base_checkpoint: str | None = option(
        None, "Base model: tiny or a checkpoint.", shown="tiny", hidden=("--checkpoint_path",), panel=MODELS, named=True
    )
    encoder: str | None = option(
        None,
        "Query encoder: tiny, minilm (extra), source-names or a file.",
        shown="the base's own",
        panel=MODELS,
        named=True,
    )
    device: str | None = option(None, "auto, cpu, cuda, cuda:N or mps.", shown="auto", panel=DEVICE)
    settings: tuple[str, ...] = option(
        (), "One training option as key.path=value; overrides the configuration. Repeatable.", "--set"
    )
    train: dict[str, Any] = setting({}, "Other training options by key.path; override all others.")
    trials: int | None = option(None, "Trainings of the search in total.", shown="the section's, 20", least=1)
    seeds: int = option(0, "Train the best settings (without ranges: the configuration) with this many seeds.")

    def __post_init__(self) -> None:
        super().__post_init__()
        valid = self.seeds == 0 or self.seeds >= 2
        check_field(self, "seeds", valid, "at least 2 for a standard deviation, or 0 for none")

    @property
    def overrides(self) -> dict[str, Any]:
        """{key.path: value} of the training options that override the configuration and ``settings``."""
        names = ("partition", "domain", "base_checkpoint", "encoder", "device")
        given = {name: getattr(self, name) for name in names}
        return {**{name: value for name, value in given.items() if value is not None}, **self.train}
