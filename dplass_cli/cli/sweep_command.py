"""``dplass sweep``: many trainings of one configuration: over ranges, and over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import Base, Device, Encoder, Json, Settings, Verbose, plain_table, quieten, verb

if TYPE_CHECKING:
    from dplass_cli.pipelines.sweep import SweepResult


def command(
    config: Annotated[Path, typer.Argument(help="A configuration of train with a section sweep.", show_default=False)],
    workspace: Annotated[Path, typer.Option(help="Folder of the trainings and of what was found.")],
    data: Annotated[Path | None, typer.Option(help="The partition folder.")] = None,
    domain: Annotated[str | None, typer.Option(help="all, or numbers such as 0,3.  [default: all]")] = None,
    trials: Annotated[int | None, typer.Option(help="Trainings of the search.  [default: the section's, 20]")] = None,
    seeds: Annotated[
        int, typer.Option(help="Train the best settings (without ranges: the configuration) with so many seeds.")
    ] = 0,
    base_checkpoint: Base = None,
    encoder: Encoder = None,
    device: Device = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search training settings by validation SDRi, and repeat a training with several seeds.

    The section says which settings: `sweep: {trials: 20, parameters: {train.optimizer.learning_rate: {low: 1e-5,
    high: 1e-2, log: true}, adapter.rank: [2, 4, 8]}}`. Run again, it goes on.

    Example: dplass sweep sweep.yaml --data partition --workspace search
    """
    with verb(json, verbose) as run:
        from dplass_cli.options.parse import build_options
        from dplass_cli.pipelines.sweep import SweepOptions, sweep

        quieten(verbose)  # again: importing the search sets its own level of logging
        given = {
            "partition": data,
            "domain": domain,
            "base_checkpoint": base_checkpoint,
            "encoder": encoder,
            "device": device,
        }
        flags = {
            "config": config,
            "workspace": workspace,
            "settings": tuple(settings or ()),
            "train": {key: value for key, value in given.items() if value is not None},
            "trials": trials,
            "seeds": seeds,
        }
        result = sweep(build_options(SweepOptions, None, (), flags), run.progress)
        run.result(result, lambda: _table(result))
        if result.mean is not None and result.deviation is not None:
            run.note(f"{len(result.seeds)} seeds: {result.mean:.2f} ± {result.deviation:.2f} dB SDRi (mean ± sd)")


def _table(result: SweepResult) -> Any:
    names = sorted({name for trial in result.trials for name in trial.settings})
    rows = [
        [
            trial.folder,
            *(_value(trial.settings.get(name, "")) for name in names),
            trial.state,
            "–" if trial.sdri is None else f"{trial.sdri:.2f}",
        ]
        for trial in result.trials
    ]
    rows += [[f"seed{seed}", *("" for _ in names), "complete", f"{score:.2f}"] for seed, score in result.seeds.items()]
    return plain_table(f"{result.workspace}: best {result.best}", ["run", *names, "state", "SDRi (dB)"], rows)


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
