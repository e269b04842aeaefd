"""``dplass quickstart``: the whole chain on built-in sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Config, Device, Json, Settings, Verbose, options_of, verb


def command(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Where everything goes.  [default: dplass-quickstart]")] = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Prepare, partition, train, evaluate and separate built-in sounds: a few minutes, offline, on any machine.

    Example: dplass quickstart demo
    """
    with verb(json, verbose) as run:
        from dplass_cli.evaluation.table import policy_table
        from dplass_cli.options.quickstart_options import QuickstartOptions
        from dplass_cli.pipelines.quickstart import quickstart

        options = options_of(QuickstartOptions, context)
        result = quickstart(options, run.progress)
        policies = result.evaluated.scores.policies
        summary = {
            "folder": str(options.folder),
            "rows": result.prepared.rows,
            "domains": {d.id: d.name for d in result.partitioned.partition.domains},
            "trained": {domain: trained.steps for domain, trained in result.trained.domains.items()},
            "policies": policies,
            "separated": {"mixture": str(result.mixture), "target": str(result.target), "sdri": result.sdri},
        }
        run.result(summary, lambda: policy_table("Built-in sounds, mixtures not trained on", policies).rich())
        run.note(f"Everything is in {options.folder}: train.json, partition/, run/bank/, evaluation/results/.")
        run.note(f"Listen: {result.mixture}, then {result.target} ({result.sdri:+.1f} dB), and the residual beside it.")
