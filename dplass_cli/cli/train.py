"""``dplass train``: one adapter a domain over a frozen base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.common import (
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Settings,
    Tokenizer,
    Trust,
    Verbose,
    plain_table,
    verb,
)


def command(
    data: Annotated[Path | None, typer.Option(help="The partition folder.")] = None,
    domain: Annotated[str | None, typer.Option(help="all, or numbers such as 0,3.  [default: all]")] = None,
    base_checkpoint: Base = None,
    adapter: Annotated[str | None, typer.Option(help="Adapter method.  [default: reconv]")] = None,
    workspace: Annotated[Path | None, typer.Option(help="Folder of checkpoints, logs and the bank.")] = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", help="Epochs a domain.  [default: 150]")] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Stop a domain after so many steps.  [default: no limit]")
    ] = None,
    num_gpus: Annotated[int | None, typer.Option("--num-gpus", help="GPUs that train together.")] = None,
    num_nodes: Annotated[int | None, typer.Option(help="Machines that train together.  [default: 1]")] = None,
    strategy: Annotated[str | None, typer.Option(help="How GPUs share the work, such as ddp.  [default: auto]")] = None,
    precision: Annotated[str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.  [default: 32-true]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in this workspace.")] = False,
    trust: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train one adapter for each domain of a partition.

    Example: dplass train --data partition --workspace run --max-epochs 10
    """
    with verb(json, verbose) as run:
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.train import TrainOptions, train

        flags = {
            "partition": data,
            "domain": domain,
            "base_checkpoint": base_checkpoint,
            "adapter.method": adapter,
            "workspace": workspace,
            "encoder": encoder,
            "tokenizer": tokenizer,
            "train.max_epochs": max_epochs,
            "train.max_steps": max_steps,
            "num_gpus": num_gpus,
            "num_nodes": num_nodes,
            "strategy": strategy,
            "train.precision": precision,
            "resume": resume or None,
            "trust_checkpoint": trust,
            "device": device,
        }
        result = train(build_options(TrainOptions, config, settings or (), flags), run.progress)
        rows = [
            [
                str(domain),
                str(t.epochs),
                str(t.steps),
                "–" if t.best_sdri is None else f"{t.best_sdri:.2f}",
                str(len(t.unreadable)),
            ]
            for domain, t in result.domains.items()
        ]
        columns = ["domain", "epochs", "steps", "best validation SDRi (dB)", "unreadable files"]
        run.result(result, lambda: plain_table(f"{result.bank}: a bank of adapters", columns, rows))
        for skipped in result.skipped:
            run.note(f"domain {skipped} has no clips and was left out")
