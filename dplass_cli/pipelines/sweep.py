"""``sweep``: many trainings of one configuration: over ranges that it declares, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dplass_cli.errors import InputError, shown
from dplass_cli.extras import require_extra
from dplass_cli.options.parse import build_options, from_mapping, read_yaml
from dplass_cli.options.sweep_options import SweepOptions, SweepSettings
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.train import train
from dplass_cli.storage import Progress, no_progress
from dplass_cli.training.audiosep_config import adopt
from dplass_cli.training.sweeping import Sweep, SweepResult, read_space

_SECTION = "sweep"


def sweep(options: SweepOptions, progress: Progress = no_progress) -> SweepResult:
    """Search settings and repeat the best training with several seeds; keep what an earlier run has finished.

    Raises:
        InputError: bad options; or another run is using the workspace.
        RunError: a training could not go on for a reason that other settings would not change.
    """
    require_extra("train", "sweep")
    section = read_yaml(options.config).get(_SECTION) or {}
    if not isinstance(section, Mapping):
        raise InputError(f"{options.config}: {_SECTION} must be a section with 'parameters:', not {shown(section)}")
    settings = from_mapping(SweepSettings, section, f"{options.config}: {_SECTION}")
    if not settings.parameters and not options.seeds:
        raise InputError(f"{options.config}: declares no ranges (sweep: parameters:); add some, or use --seeds")

    def options_of(chosen: Mapping[str, Any], folder: str) -> TrainOptions:
        given = {**options.overrides, **chosen, "workspace": options.workspace / folder, "resume": True}
        return build_options(TrainOptions, options.config, options.settings, given, _without_section)

    space = read_space(settings.parameters, options_of, options.config)
    search = Sweep(options.workspace, space, options_of, train)
    return search.run(options.trials or settings.trials, options.seeds, settings.prune, settings.seed, progress)


def _without_section(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of ``train``, from one with the section ``sweep``."""
    return {key: value for key, value in adopt(tree).items() if key != _SECTION}
