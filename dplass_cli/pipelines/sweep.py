"""``sweep``: many trainings of one configuration: over ranges that it declares, and over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from dplass_cli.errors import InputError, RunError, shown
from dplass_cli.options.parse import build_options, from_mapping, read_yaml, to_mapping
from dplass_cli.options.sweep_options import Range, SweepOptions, SweepSettings
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.train import check_words, train
from dplass_cli.storage import Progress, no_progress, write_json
from dplass_cli.training.audiosep_config import adopt
from dplass_cli.training.workspace import FINISHED, alone_in, what_is_learnt

_SECTION, _JOURNAL, _STUDY = "sweep", "sweep.journal", "dplass"
_FOLDER, _ERROR, _FIXED = "folder", "error", "fixed"  # what is noted of a trial; of a search


@dataclass(frozen=True)
class TrialScore:
    """One training of the search: its settings, how it ended, and its mean best validation SDRi in dB."""

    folder: str
    settings: dict[str, Any]
    state: str
    sdri: float | None


@dataclass(frozen=True)
class SweepResult:
    """What was found.

    Attributes:
        workspace: where it is.
        best: the settings of the best training; empty without ranges.
        trials: the trainings of the search.
        seeds: {seed: mean best validation SDRi over domains, dB}.
        mean, deviation: of ``seeds``; the sample standard deviation.
    """

    workspace: Path
    best: dict[str, Any]
    trials: tuple[TrialScore, ...]
    seeds: dict[int, float]
    mean: float | None
    deviation: float | None


def sweep(options: SweepOptions, progress: Progress = no_progress) -> SweepResult:
    """Search and repeat; what an earlier run in the workspace has finished is kept.

    Raises:
        InputError: wrong options; or another run is at work in the workspace.
        RunError: a training could not go on for a reason that other settings would not change.
    """
    section = read_yaml(options.config).get(_SECTION) or {}
    if not isinstance(section, Mapping):
        raise InputError(f"{options.config}: {_SECTION} must be a section with 'parameters:', not {shown(section)}")
    settings = from_mapping(SweepSettings, section, f"{options.config}: {_SECTION}")
    ranges = {key: _range(key, value, options.config) for key, value in settings.parameters.items()}
    if not ranges and not options.seeds:
        raise InputError(f"{options.config}: declares no ranges (sweep: parameters:); add some, or give --seeds")
    for key, values in ranges.items():  # a wrong key or value stops the sweep before it begins
        for value in values if isinstance(values, list) else values.ends:
            try:
                check_words(_options(options, {key: value}, ""))
            except InputError as error:
                said = str(error).removeprefix(f"{options.config}: ")
                raise InputError(f"{options.config}: sweep.parameters.{key}: {said}") from error
    check_words(_options(options, {}, ""))
    with alone_in(options.workspace, "sweep"):
        study = _study(options.workspace, settings)
        _require_same(study, options, ranges)
        if ranges:
            _search(study, ranges, options, options.trials or settings.trials, progress)
        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        best = study.best_params if done else {}
        seeds = _repeat(options, best, f"{_folder(study.best_trial)}_" if done else "", progress)
        result = SweepResult(
            options.workspace,
            best,
            tuple(_score(trial) for trial in _latest(study)),
            seeds,
            statistics.mean(seeds.values()) if seeds else None,
            statistics.stdev(seeds.values()) if seeds else None,
        )
        write_json(options.workspace / "sweep.json", to_mapping(result))
    return result


def _range(key: str, value: Any, config: Path) -> list[Any] | Range:
    if isinstance(value, list) and value:
        return value
    if isinstance(value, Mapping):
        return from_mapping(Range, value, f"{config}: sweep.parameters.{key}")
    raise InputError(f"{config}: sweep.parameters.{key} must be a list of choices, or low, high and log, not {value!r}")


def _study(workspace: Path, settings: SweepSettings) -> optuna.Study:
    optuna.logging.disable_default_handler()  # what it says goes the way of all logging
    optuna.logging.enable_propagation()
    backend = JournalFileBackend(str(workspace / _JOURNAL))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=_STUDY,
        direction="maximize",
        load_if_exists=True,
        pruner=pruner if settings.prune else optuna.pruners.NopPruner(),
    )
    begun = len(study.get_trials(deepcopy=False))  # a search that goes on would draw the same numbers again
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + begun)
    return study


def _require_same(study: optuna.Study, options: SweepOptions, ranges: Collection[str]) -> None:
    """Refuse to go on with a search of other trainings: its figures would be told as these ones'."""
    asked = {key: value for key, value in what_is_learnt(_options(options, {}, "")).items() if key not in ranges}
    was = study.user_attrs.get(_FIXED)
    if was is None:
        study.set_user_attr(_FIXED, asked)
        return
    for key, value in asked.items():
        if was.get(key, value) != value:
            raise InputError(
                f"{options.workspace}: the search there was begun with {key} {was[key]!r}, not {value!r}; go on with"
                " the same, or give another --workspace"
            )


def _search(
    study: optuna.Study, ranges: Mapping[str, list[Any] | Range], options: SweepOptions, trials: int, progress: Progress
) -> None:
    for trial in _latest(study):
        # It was killed or interrupted: its training goes on as a trial with the same settings and folder.
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
        if trial.state == TrialState.RUNNING or (trial.state == TrialState.FAIL and _ERROR not in trial.user_attrs):
            study.enqueue_trial(trial.params, user_attrs={_FOLDER: _folder(trial)})

    def objective(trial: optuna.Trial) -> float:
        chosen = {key: _suggest(trial, key, values) for key, values in ranges.items()}
        folder = _folder(trial)
        epochs: list[int] = []
        finished = len(list((options.workspace / folder).glob(f"checkpoints/*/{FINISHED}")))  # before it was cut

        def report(epoch: int, sdri: float) -> None:
            epochs.append(epoch)
            domain = finished + sum(later <= earlier for earlier, later in pairwise(epochs))
            trial.report(sdri, domain * given.train.max_epochs + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        given = _options(options, chosen, folder)
        try:
            return _train(given, lambda done, total, what: progress(done, total, f"{folder}, {what}"), report)
        except RunError as error:  # such as a loss that is not finite: these settings are no good
            trial.set_user_attr(_ERROR, str(error))
            raise

    left = trials - sum(trial.state.is_finished() for trial in _latest(study))
    if left > 0:
        study.optimize(objective, n_trials=left, catch=(RunError,))


def _latest(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials, of those that were begun again the latest."""
    return list({_folder(trial): trial for trial in study.get_trials(deepcopy=False)}.values())


def _folder(trial: Any) -> str:
    return str(trial.user_attrs.get(_FOLDER, f"trial{trial.number:04d}"))


def _suggest(trial: optuna.Trial, key: str, values: list[Any] | Range) -> Any:
    try:
        if isinstance(values, list):
            return trial.suggest_categorical(key, values)
        if values.whole:
            return trial.suggest_int(key, int(values.low), int(values.high))
        return trial.suggest_float(key, values.low, values.high, log=values.log)
    except ValueError as error:
        raise InputError(
            f"sweep.parameters.{key}: the search in this workspace was begun with other choices; give another"
            " --workspace"
        ) from error


def _options(options: SweepOptions, chosen: Mapping[str, Any], folder: str) -> TrainOptions:
    """The options of one training."""

    def without_section(tree: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in adopt(tree).items() if key != _SECTION}

    given = {**options.overrides, **chosen, "workspace": options.workspace / folder, "resume": True}
    return build_options(TrainOptions, options.config, options.settings, given, without_section)


def _train(options: TrainOptions, progress: Progress, report: Any) -> float:
    """Train and return the mean over domains of the best validation SDRi in dB."""
    result = train(options, progress, report)
    scores = [trained.best_sdri for trained in [*result.domains.values(), result.network] if trained is not None]
    known = [score for score in scores if score is not None]
    if not known:
        raise InputError(f"{options.partition}: has no validation mixtures to compare settings by")
    return statistics.mean(known)


def _repeat(options: SweepOptions, best: Mapping[str, Any], prefix: str, progress: Progress) -> dict[int, float]:
    scores: dict[int, float] = {}
    first = _options(options, best, "").train.random_seed
    for seed in range(first, first + options.seeds):
        folder = f"{prefix}seed{seed}"
        given = _options(options, {**best, "train.random_seed": seed}, folder)

        def tell(done: int, total: int, what: str, folder: str = folder) -> None:
            progress(done, total, f"{folder}, {what}")

        scores[seed] = _train(given, tell, lambda epoch, sdri: None)
    return scores


def _score(trial: optuna.trial.FrozenTrial) -> TrialScore:
    best = [value for value in trial.intermediate_values.values() if value == value]
    value = trial.value if trial.state == TrialState.COMPLETE else max(best, default=None)
    return TrialScore(_folder(trial), trial.params, trial.state.name.lower(), value)
