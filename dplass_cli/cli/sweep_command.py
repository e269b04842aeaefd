"""``dplass sweep``: many trainings of one configuration, over ranges and over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, decibels, plain_table, quieten
from dplass_cli.options.sweep_options import SweepOptions

if TYPE_CHECKING:
    from dplass_cli.training.sweeping import SweepResult


interrupted = "finished trials are kept; run the same command again"


def command(options: SweepOptions, run: VerbRun) -> None:
    """Search training settings by validation SDRi, and repeat a training with several seeds.

    Encoders are compared by mAP@10.
    The section sweep lists the settings: `sweep: {trials: 20, parameters: {train.optimizer.learning_rate: {low: 1e-5,
    high: 1e-2, log: true}, adapter.rank: [2, 4, 8]}}`. Run again, it continues.

    Example: dplass sweep sweep.yaml --data partition --workspace search
    """
    from dplass_cli.pipelines.sweep import sweep

    quieten(run.verbose)  # again: importing the search sets its own level of logging
    result = sweep(options, run.progress)
    run.result(result, lambda: _table(result))
    if result.mean is not None and result.deviation is not None:
        mean, deviation = (_score(value, result.measure) for value in (result.mean, result.deviation))
        unit = "mAP@10" if result.measure == "mAP@10" else "dB SDRi"
        run.note(f"{len(result.seeds)} seeds: {mean} ± {deviation} {unit} (mean ± sd)")


def _table(result: SweepResult) -> Any:
    names = sorted({name for trial in result.trials for name in trial.settings})
    rows = [
        [
            trial.folder,
            *(_value(trial.settings.get(name, "")) for name in names),
            trial.state,
            _score(trial.score, result.measure),
        ]
        for trial in result.trials
    ]
    rows += [
        [f"seed{seed}", *("" for _ in names), "complete", _score(score, result.measure)]
        for seed, score in result.seeds.items()
    ]
    return plain_table(["run", *names, "state", result.measure], rows, f"{result.workspace}: best {result.best}")


def _score(score: float | None, measure: str) -> str:
    return decibels(score) if measure != "mAP@10" or score is None else f"{score:.3f}"


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
