"""``sweep``: many trainings of one configuration: over ranges that it declares, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError, shown
from dplass_cli.options.parse import build_options, from_mapping, read_yaml
from dplass_cli.pipelines.train import TrainOptions, train
from dplass_cli.storage import Progress, no_progress
from dplass_cli.training.audiosep_config import adopt
from dplass_cli.training.sweeping import Sweep, SweepResult, read_space

__all__ = ["SweepOptions", "SweepResult", "sweep"]

_SECTION = "sweep"


@dataclass(frozen=True)
class SweepSettings:
    """The section ``sweep`` of a configuration.

    Attributes:
        parameters: {key.path of a training option: a list of choices, or low, high and log of a range}.
        trials: trainings in all; each begins with settings that the earlier ones speak for (TPE).
        prune: end a training early whose validation SDRi is below the median of the earlier ones at its epoch.
        seed: of the choices.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    trials: int = 20
    prune: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}")


@dataclass(frozen=True)
class SweepOptions:
    """Options of ``sweep``.

    Attributes:
        config: a configuration of ``train`` with a section ``sweep``.
        workspace: folder of a sub-folder a training, ``sweep.journal`` (what the search knows) and ``sweep.json``.
        settings: training options as ``key.path=value``, over those of ``config``.
        train: training options by key, over both.
        trials: trainings of the search in all; default what the configuration says.
        seeds: train the best settings (without ranges, the configuration) with so many seeds.
    """

    config: Path
    workspace: Path
    settings: tuple[str, ...] = ()
    train: dict[str, Any] = field(default_factory=dict)
    trials: int | None = None
    seeds: int = 0

    def __post_init__(self) -> None:
        if self.seeds < 0 or self.seeds == 1:
            raise ValueError(f"--seeds must be at least 2 to tell a deviation, or 0 for none, not {self.seeds}")
        if self.trials is not None and self.trials < 1:
            raise ValueError(f"--trials must be at least 1, not {self.trials}")


def sweep(options: SweepOptions, progress: Progress = no_progress) -> SweepResult:
    """Search settings and repeat the best training with several seeds; keep what an earlier run has finished.

    Args:
        options: what to search, and where.
        progress: receives every training's steps.

    Raises:
        InputError: bad options; or another run is using the workspace.
        RunError: a training could not go on for a reason that other settings would not change.
    """
    section = read_yaml(options.config).get(_SECTION) or {}
    if not isinstance(section, Mapping):
        raise InputError(f"{options.config}: {_SECTION} must be a section with 'parameters:', not {shown(section)}")
    settings = from_mapping(SweepSettings, section, f"{options.config}: {_SECTION}")
    if not settings.parameters and not options.seeds:
        raise InputError(f"{options.config}: declares no ranges (sweep: parameters:); add some, or use --seeds")

    def options_of(chosen: Mapping[str, Any], folder: str) -> TrainOptions:
        given = {**options.train, **chosen, "workspace": options.workspace / folder, "resume": True}
        return build_options(TrainOptions, options.config, options.settings, given, _without_section)

    space = read_space(settings.parameters, options_of, options.config)
    search = Sweep(options.workspace, space, options_of, train)
    return search.run(options.trials or settings.trials, options.seeds, settings.prune, settings.seed, progress)


def _without_section(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of ``train``, from one with the section ``sweep``."""
    return {key: value for key, value in adopt(tree).items() if key != _SECTION}
