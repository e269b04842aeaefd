"""``dplass train``: one adapter a domain over the frozen base; or a whole base, or a student of many adapters."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import (
    Adapters,
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Settings,
    Tokenizer,
    Trust,
    Verbose,
    options_of,
    plain_table,
    quieten,
    verb,
)

if TYPE_CHECKING:
    from dplass_cli.pipelines.train import TrainResult
    from dplass_cli.training.trainer import Trained

_NAMES = {
    "data": "partition",
    "adapter": "adapter.method",
    "max_epochs": "train.max_epochs",
    "max_steps": "train.max_steps",
    "precision": "train.precision",
    "max_bad_files": "data.max_bad_files",
}


def command(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="The partition folder.")] = None,
    domain: Annotated[str | None, typer.Option(help="all, or numbers such as 0,3.  [default: all]")] = None,
    what: Annotated[
        str | None,
        typer.Option(
            help="adapters: one a domain; base: the whole network; distil: one network that learns what the base does"
            " with each domain's adapter.  [default: adapters]"
        ),
    ] = None,
    base_checkpoint: Base = None,
    adapter: Annotated[str | None, typer.Option(help="Adapter method.  [default: reconv]")] = None,
    adapters: Adapters = None,
    workspace: Annotated[Path | None, typer.Option(help="Folder of checkpoints, logs and the bank.")] = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", help="Epochs a domain.  [default: 150]")] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Stop a domain after so many steps.  [default: no limit]")
    ] = None,
    max_bad_files: Annotated[
        int | None, typer.Option(help="More unreadable files than this stop the run.  [default: 20]")
    ] = None,
    num_gpus: Annotated[
        int | None,
        typer.Option("--num-gpus", help="Devices that train together (with --device cpu, processes); see --strategy."),
    ] = None,
    num_nodes: Annotated[int | None, typer.Option("--num-nodes", help="Machines that train.  [default: 1]")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="How several devices share the work: auto (one domain a GPU where several domains are asked for),"
            " or ddp (all on each domain).  [default: auto]"
        ),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.  [default: 32-true]")] = None,
    resume: Annotated[bool | None, typer.Option("--resume", help="Go on with the run in this workspace.")] = None,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run", help="Print what would be trained, and train nothing.")
    ] = None,
    fast_dev_run: Annotated[
        bool | None,
        typer.Option("--fast-dev-run", help="Take three batches a domain through everything, in a sub-folder."),
    ] = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train one adapter for each domain of a partition.

    Interrupted (Ctrl-C, SIGTERM) it saves and ends with 3; --resume goes on, after a kill too. AudioSep's published
    audiosep_base.yaml is taken as --config.

    Example: dplass train --data partition --workspace run --max-epochs 10
    """
    with verb(json, verbose) as run:
        from dplass_cli.devices import process_rank
        from dplass_cli.pipelines.train import TrainOptions, train
        from dplass_cli.training.audiosep_config import adopt

        options = options_of(TrainOptions, context, _NAMES, adopt=adopt)
        result = train(options, run.progress, begin=partial(quieten, verbose))
        if process_rank() > 0:  # one of several processes of this run; the first one tells
            return
        run.result(result, lambda: _plan_table(result) if dry_run else _table(result))
        for skipped in result.skipped:
            run.note(f"domain {skipped} has no clips and was left out")
        for name, trained in _runs(result).items():
            for reason in trained.unreadable.values():
                run.note(f"{name}: skipped: {reason}")


def _runs(result: TrainResult) -> dict[str, Trained]:
    """What was trained by what to call it."""
    whole = {} if result.network is None else {result.output.stem: result.network}
    return {**{str(domain): trained for domain, trained in result.domains.items()}, **whole}


def _table(result: TrainResult) -> Any:
    rows = [
        [
            name,
            str(t.epochs),
            str(t.steps),
            *("–" if score is None else f"{score:.2f}" for score in (t.best_sdri, t.best_si_sdr)),
            str(len(t.unreadable)),
            f"{t.items_per_s:.1f}",
        ]
        for name, t in _runs(result).items()
    ]
    columns = [
        "domain", "epochs", "steps", "best validation SDRi (dB)", "SI-SDR (dB)", "unreadable files", "items/s"
    ]  # fmt: skip
    what = "a network" if result.output.suffix else "a bank of adapters"
    return plain_table(f"{result.output}: {what}", columns, rows)


def _plan_table(result: TrainResult) -> Any:
    columns = ["to train", "rows", "validation mixtures", "parameters", "steps an epoch", "steps"]
    rows = [
        [
            job.name,
            *(f"{n:,}" for n in (job.rows, job.validation_mixtures, job.parameters, job.steps_per_epoch, job.steps)),
        ]
        for job in result.plan
    ]
    return plain_table(f"{result.output}: nothing is written yet", columns, rows)
