"""Searching settings with a made-up training: what is tried, resumed, repeated and refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dplass_cli.errors import InputError, RunError
from dplass_cli.options.parse import build_options
from dplass_cli.options.sweep_options import Range
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.storage import Progress, no_progress, read_json
from dplass_cli.training.callbacks.epoch_reporter import EpochReport
from dplass_cli.training.sweeping import Space, Sweep, SweepResult, read_space
from dplass_cli.training.train_result import Trained, TrainResult

RATE = "train.optimizer.learning_rate"
Score = Callable[[TrainOptions], float]


class Trainings:
    """Trains in no time; the score is a function of the options.

    Args:
        workspace: of the sweep.
        score: (options) -> validation SDRi in dB; None for a run without validation.
        epochs: number of epochs that are reported.
    """

    def __init__(self, workspace: Path, score: Score | None, epochs: int = 1) -> None:
        self.workspace, self.score, self.epochs = workspace, score, epochs
        self.folders: list[str] = []

    def options_of(self, chosen: Mapping[str, Any], folder: str) -> TrainOptions:
        given = {"partition": Path("partition"), **chosen, "workspace": self.workspace / folder}
        return build_options(TrainOptions, flags=given)

    def train(self, options: TrainOptions, progress: Progress, report: EpochReport) -> TrainResult:
        self.folders.append(options.workspace.name)
        progress(0, 1, "domain0")
        sdri = None if self.score is None else self.score(options)
        for epoch in range(self.epochs):
            report(epoch, sdri if sdri is not None else float("nan"))
        return TrainResult(options.workspace / "bank", {0: Trained(best_sdri=sdri)})

    def sweep(self, space: Space, trials: int = 4, seeds: int = 0, prune: bool = False) -> SweepResult:
        return Sweep(self.workspace, space, self.options_of, self.train).run(trials, seeds, prune, 42, no_progress)


def rate(options: TrainOptions) -> float:
    return options.train.optimizer.learning_rate


RATES: Space = {RATE: Range(1e-5, 1e-2, log=True)}


def test_the_best_settings_are_found(tmp_path: Path) -> None:
    result = Trainings(tmp_path, rate).sweep(RATES, trials=5)
    assert len(result.trials) == 5
    assert result.best[RATE] == max(trial.settings[RATE] for trial in result.trials)
    assert all(trial.sdri == trial.settings[RATE] for trial in result.trials)
    assert read_json(tmp_path / "sweep.json")["best"] == result.best


def test_integer_ranges_give_integers(tmp_path: Path) -> None:
    result = Trainings(tmp_path, lambda options: 0.0).sweep({"adapter.rank": Range(2.0, 6.0)}, trials=5)
    assert all(isinstance(trial.settings["adapter.rank"], int) for trial in result.trials)
    assert all(2 <= trial.settings["adapter.rank"] <= 6 for trial in result.trials)


def test_a_resumed_search_draws_new_settings(tmp_path: Path) -> None:
    Trainings(tmp_path, lambda options: 0.0).sweep(RATES, trials=2)
    result = Trainings(tmp_path, lambda options: 0.0).sweep(RATES, trials=4)
    assert len({trial.settings[RATE] for trial in result.trials}) == 4


def test_a_finished_search_trains_nothing(tmp_path: Path) -> None:
    first = Trainings(tmp_path, rate).sweep(RATES, trials=2)
    again = Trainings(tmp_path, rate)
    assert again.sweep(RATES, trials=2) == first
    assert again.folders == []


def test_an_interrupted_training_is_resumed_in_its_folder_with_its_settings(tmp_path: Path) -> None:
    tried: list[float] = []

    def interrupt(options: TrainOptions) -> float:
        tried.append(rate(options))
        if len(tried) == 2:
            raise KeyboardInterrupt
        return rate(options)

    with pytest.raises(KeyboardInterrupt):
        Trainings(tmp_path, interrupt).sweep(RATES, trials=2)
    resumed = Trainings(tmp_path, rate)
    result = resumed.sweep(RATES, trials=2)
    assert resumed.folders == ["trial0001"]
    assert [trial.settings[RATE] for trial in result.trials] == tried
    assert [trial.state for trial in result.trials] == ["complete", "complete"]


def test_settings_that_fail_are_not_tried_again(tmp_path: Path) -> None:
    def fail(options: TrainOptions) -> float:
        raise RunError("the loss is not finite")

    first = Trainings(tmp_path, fail)
    with pytest.raises(RunError, match="no training of the search was completed; the first failed: the loss is not"):
        first.sweep(RATES, trials=2, seeds=2)
    assert first.folders == ["trial0000", "trial0001"]  # and no seeds of settings that nothing speaks for
    result = read_json(tmp_path / "sweep.json")
    assert [trial["state"] for trial in result["trials"]] == ["fail", "fail"]
    assert result["best"] == {}
    again = Trainings(tmp_path, rate)
    again.sweep(RATES, trials=3)
    assert again.folders == ["trial0002"]


def test_a_training_worse_than_the_median_is_pruned(tmp_path: Path) -> None:
    worsening = iter(range(10, 0, -1))
    result = Trainings(tmp_path, lambda options: float(next(worsening)), epochs=4).sweep(RATES, trials=6, prune=True)
    states = [trial.state for trial in result.trials]
    assert states[:4] == ["complete"] * 4
    assert set(states[4:]) == {"pruned"}
    assert result.trials[4].sdri == 6.0  # what it had reached


def test_seeds_repeat_the_best_settings(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path, lambda options: options.train.random_seed + rate(options))
    result = trainings.sweep({RATE: [0.25, 0.5]}, trials=6, seeds=3)
    assert result.best == {RATE: 0.5}
    assert result.seeds == {42: 42.5, 43: 43.5, 44: 44.5}
    assert (result.mean, result.deviation) == (43.5, 1.0)
    assert all(folder.startswith("trial") and "_seed4" in folder for folder in trainings.folders[-3:])


def test_without_a_space_seeds_repeat_the_configuration(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path, lambda options: 1.0)
    result = trainings.sweep({}, seeds=2)
    assert trainings.folders == ["seed42", "seed43"]
    assert (result.best, result.trials, result.deviation) == ({}, (), 0.0)


def test_without_validation_settings_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="partition: has no validation data"):
        Trainings(tmp_path, None).sweep(RATES, trials=1)


def test_another_configuration_cannot_resume_a_sweep(tmp_path: Path) -> None:
    Trainings(tmp_path, rate).sweep(RATES, trials=1)
    other = Trainings(tmp_path, rate)
    original = other.options_of
    other.options_of = lambda chosen, folder: original({"train.max_epochs": 7, **chosen}, folder)  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"was started with train.max_epochs 150, not 7; restore it"):
        other.sweep(RATES, trials=1)


def test_other_choices_cannot_resume_a_search(tmp_path: Path) -> None:
    Trainings(tmp_path, rate).sweep({RATE: [0.1, 0.2]}, trials=1)
    with pytest.raises(InputError, match=r"sweep.parameters.train.optimizer.learning_rate: .* other choices"):
        Trainings(tmp_path, rate).sweep({RATE: [0.3, 0.4]}, trials=2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({RATE: {"low": 1, "high": 1}}, "low 1.0: must be below high, 1.0"),
        ({RATE: {"low": -1, "high": 1, "log": True}}, "low -1.0: must be positive where log is true"),
        ({RATE: 3}, "must be a list of choices, or low, high and log, not 3"),
        ({RATE: []}, "must be a list of choices"),
        ({"adapter.rank": [4, 0]}, "adapter.rank 0: must be from 1 to"),
        ({"train.loss_type": ["l1_wave"]}, "did you mean 'l1_wav'"),
    ],
)
def test_a_wrong_space_is_refused_with_its_key(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    (key,) = parameters
    with pytest.raises(InputError, match=message) as raised:
        read_space(parameters, Trainings(tmp_path, rate).options_of, Path("sweep.yaml"))
    assert str(raised.value).startswith(f"sweep.yaml: sweep.parameters.{key}")


@pytest.mark.parametrize("key", ["workspace", "resume"])
def test_what_a_sweep_sets_itself_cannot_be_searched(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=f"sweep.parameters.{key}: each training of a sweep has its own; leave it out"):
        read_space({key: ["a", "b"]}, Trainings(tmp_path, rate).options_of, Path("sweep.yaml"))


def test_a_training_that_failed_is_logged_without_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(options: TrainOptions) -> float:
        raise RunError("the loss is not finite")

    with pytest.raises(RunError), caplog.at_level(logging.WARNING, logger="optuna"):
        Trainings(tmp_path, fail).sweep(RATES, trials=1)
    (record,) = (record for record in caplog.records if "not finite" in record.getMessage())
    assert record.exc_info is None
