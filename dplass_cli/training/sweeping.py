"""Searching training settings by validation score with Optuna, and repeating a training with several seeds.

A sweep that was interrupted is resumed: Optuna's journal holds its trials, and each training resumes in its folder.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.declaration import resume_rules
from dplass_cli.options.parse import from_mapping, to_mapping
from dplass_cli.options.sweep_options import Range
from dplass_cli.storage import Progress, write_json
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.train_result import TrainResult
from dplass_cli.training.training_run import check_choices
from dplass_cli.training.workspace import Workspace, fixed_settings

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from dplass_cli.options.train_options import TrainOptions

_JOURNAL, _STUDY = "sweep.journal", "dplass"
_FOLDER, _ERROR, _FIXED = "folder", "error", "fixed"  # keys of Optuna's user attributes: of trials, and of the study
_OWN = ("workspace", "resume", "dry_run", "fast_dev_run")  # what a sweep sets itself for each training


Space = Mapping[str, list[Any] | Range]
"""What is searched: {key.path of a training option: choices or a range}."""


OptionsOf = Callable[[Mapping[str, Any], str], "TrainOptions"]
"""({key.path: value} over the configuration, sub-folder) -> options of that training."""


def read_space(parameters: Mapping[str, Any], options_of: OptionsOf, config: Path) -> Space:
    """Read the search space from a configuration, and check it before the first training.

    Raises:
        InputError: neither a list nor a range, or a key or value that is not a training option's.
    """
    check_choices(options_of({}, ""))
    space: dict[str, list[Any] | Range] = {}
    for key, given in parameters.items():
        where = f"{config}: sweep.parameters.{key}"
        if key in _OWN:
            raise InputError(f"{where}: each training of a sweep has its own; leave it out")
        if isinstance(given, list) and given:
            space[key] = values = given
        elif isinstance(given, Mapping):
            space[key] = numbers = from_mapping(Range, given, where)
            values = list(numbers.ends)
        else:
            raise InputError(f"{where} must be a list of choices, or low, high and log, not {given!r}")
        for value in values:
            try:
                check_choices(options_of({key: value}, ""))
            except InputError as error:
                raise InputError(f"{where}: {str(error).removeprefix(f'{config}: ')}") from error
    return space


@dataclass(frozen=True)
class TrialScore:
    """One training of the search.

    Attributes:
        folder: its sub-folder.
        settings: {key.path: value}.
        state: how it ended: ``complete``, ``pruned``, ``fail`` or ``running``.
        score: mean over domains of the best validation SDRi in dB, or mAP@10 of an encoder; None where there is none.
        sdri: the same; None for an encoder.
    """

    folder: str
    settings: dict[str, Any]
    state: str
    score: float | None
    sdri: float | None


@dataclass(frozen=True)
class SweepResult:
    """Result of a sweep, also written to ``sweep.json``.

    Attributes:
        workspace: folder of the sweep.
        best: the best training's settings; empty without a search.
        trials: the trainings of the search.
        seeds: {seed: score}, as those of the trials.
        mean: of ``seeds``.
        deviation: sample standard deviation of ``seeds``.
        measure: what the scores are: ``SDRi (dB)`` or ``mAP@10``.
    """

    workspace: Path
    best: dict[str, Any]
    trials: tuple[TrialScore, ...]
    seeds: dict[int, float]
    mean: float | None
    deviation: float | None
    measure: str


class Sweep:
    """Trainings of one configuration with varied settings and seeds, each in a sub-folder of the workspace."""

    def __init__(
        self,
        workspace: Path,
        space: Space,
        options_of: OptionsOf,
        train: Callable[[TrainOptions, Progress, EpochReport], TrainResult],
    ) -> None:
        self.workspace, self.space, self._options_of, self._train_job = workspace, space, options_of, train

    def run(self, trials: int, seeds: int, prune: bool, sampler_seed: int, progress: Progress) -> SweepResult:
        """Search the space, then repeat the best training; keep what an earlier run has finished.

        Args:
            trials: number of trainings of the search, earlier runs included.
            seeds: number of seeds for the best settings (without a search, for the configuration).
            prune: end trainings early that are worse than the median of the earlier ones at the same epoch.

        Raises:
            InputError: the workspace contains a sweep of another configuration, or another process uses it.
            RunError: a repeated training could not go on.
        """
        from optuna.trial import TrialState

        with Workspace(self.workspace).lock("sweep"):
            study = self._open_study(prune, sampler_seed)
            if self.space:
                self._search(study, trials, progress)
            complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            best = study.best_params if complete else {}
            prefix = f"{_folder(study.best_trial)}_" if complete else ""
            scores = self._repeat(best, seeds, prefix, progress) if complete or not self.space else {}
            is_encoder = self._options_of({}, "").what == "encoder"
            result = SweepResult(
                self.workspace,
                best,
                tuple(_score(trial, is_encoder) for trial in _current_trials(study)),
                scores,
                statistics.mean(scores.values()) if scores else None,
                statistics.stdev(scores.values()) if scores else None,
                "mAP@10" if is_encoder else "SDRi (dB)",
            )
            write_json(self.workspace / "sweep.json", to_mapping(result))
            if self.space and not complete:
                reasons = [trial.user_attrs[_ERROR] for trial in _current_trials(study) if _ERROR in trial.user_attrs]
                reason = f"; the first failed: {reasons[0]}" if reasons else ""
                raise RunError(f"{self.workspace}: no training of the search was completed{reason}")
        return result

    def _open_study(self, prune: bool, sampler_seed: int) -> optuna.Study:
        """Open or create the study; scores under other settings are not comparable, so they are refused."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.disable_default_handler()  # it would print; its messages go through logging instead
        optuna.logging.enable_propagation()
        logging.getLogger("optuna.study._optimize").addFilter(_without_traceback)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(self.workspace / _JOURNAL))),
            study_name=_STUDY,
            direction="maximize",
            load_if_exists=True,
            pruner=pruner if prune else optuna.pruners.NopPruner(),
        )
        # Shifted by the number of trials: otherwise a resumed search would draw the first ones' settings again.
        study.sampler = optuna.samplers.TPESampler(seed=sampler_seed + len(study.get_trials(deepcopy=False)))
        options = self._options_of({}, "")
        settings, rules = fixed_settings(options), resume_rules(options)
        fixed = {key: value for key, value in settings.items() if key not in self.space}
        before = study.user_attrs.get(_FIXED)
        if before is None:
            study.set_user_attr(_FIXED, fixed)
            return study
        for key, value in fixed.items():
            was = before.get(key, None if rules[key] == "recorded" else value)
            if was != value:
                raise InputError(
                    f"{self.workspace}: this sweep was started with {key} {was!r}, not {value!r};"
                    " restore it, or choose another --workspace"
                )
        return study

    def _search(self, study: optuna.Study, trials: int, progress: Progress) -> None:
        from optuna.trial import TrialState

        for trial in _current_trials(study):
            # An interrupted or killed trial cannot be continued in Optuna. A new trial gets its settings and folder,
            # where its training resumes. A trial with an error is not repeated: its settings are to blame.
            interrupted = trial.state == TrialState.FAIL and _ERROR not in trial.user_attrs
            if trial.state == TrialState.RUNNING:
                study.tell(trial.number, state=TrialState.FAIL)
                interrupted = True
            if interrupted:
                study.enqueue_trial(trial.params, user_attrs={_FOLDER: _folder(trial)})
        remaining = trials - sum(trial.state.is_finished() for trial in _current_trials(study))
        if remaining > 0:
            study.optimize(lambda trial: self._train_trial(trial, progress), n_trials=remaining, catch=(RunError,))

    def _train_trial(self, trial: optuna.Trial, progress: Progress) -> float:
        from optuna import TrialPruned

        chosen = {key: _suggest(trial, key, values) for key, values in self.space.items()}
        folder = _folder(trial)
        options = self._options_of(chosen, folder)
        finished_before = Workspace(self.workspace / folder).count_finished()
        epochs: list[int] = []

        def report(epoch: int, score: float) -> None:
            # Optuna compares trials at equal steps. Domains are trained one after another, each from epoch 0, so an
            # epoch number that does not rise starts the next domain.
            epochs.append(epoch)
            domain = finished_before + sum(later <= earlier for earlier, later in pairwise(epochs))
            trial.report(score, domain * options.train.max_epochs + epoch)
            if trial.should_prune():
                raise TrialPruned

        try:
            return self._train(options, folder, progress, report)
        except RunError as error:  # such as a loss that is not finite
            trial.set_user_attr(_ERROR, str(error))
            raise

    def _repeat(self, best: Mapping[str, Any], seeds: int, prefix: str, progress: Progress) -> dict[int, float]:
        first = self._options_of(best, "").train.random_seed
        scores: dict[int, float] = {}
        for seed in range(first, first + seeds):
            folder = f"{prefix}seed{seed}"
            options = self._options_of({**best, "train.random_seed": seed}, folder)
            scores[seed] = self._train(options, folder, progress, no_report)
        return scores

    def _train(self, options: TrainOptions, folder: str, progress: Progress, report: EpochReport) -> float:
        """Train; return the mean over domains of the best validation score."""
        result = self._train_job(options, lambda done, total, what: progress(done, total, f"{folder}, {what}"), report)
        outcomes = [trained for trained in (*result.domains.values(), result.network) if trained is not None]
        scores = [trained.best_score for trained in outcomes if trained.best_score is not None]
        if not scores:
            raise InputError(f"{options.partition}: has no validation data, which settings are compared on")
        return statistics.mean(scores)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Keep a record of Optuna's, but not the traceback of a training that failed: its message says why."""
    record.exc_info = record.exc_text = None
    return True


def _current_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials; of those that share a folder because they were interrupted, the latest."""
    return list({_folder(trial): trial for trial in study.get_trials(deepcopy=False)}.values())


def _folder(trial: optuna.Trial | FrozenTrial) -> str:
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
            f"sweep.parameters.{key}: the sweep in this workspace was started with other choices; restore them, or"
            " choose another --workspace"
        ) from error


def _score(trial: FrozenTrial, is_encoder: bool) -> TrialScore:
    from optuna.trial import TrialState

    reported = [value for value in trial.intermediate_values.values() if value == value]  # without NaN
    score = trial.value if trial.state == TrialState.COMPLETE else max(reported, default=None)
    return TrialScore(_folder(trial), trial.params, trial.state.name.lower(), score, None if is_encoder else score)
