"""``dplass doctor``: everything that a run needs, before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import (
    EXIT_SOME_FAILED,
    Adapters,
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
    verb,
)


def command(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Manifest or partition folder.")] = None,
    base_checkpoint: Annotated[
        str | None,
        typer.Option("--base-checkpoint", "--base", help="Base model: tiny or a checkpoint.  [default: tiny]"),
    ] = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    adapters: Adapters = None,
    benchmark: Annotated[str | None, typer.Option(help="Which benchmark will be evaluated.")] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", help="The folder of AudioCaps_evaluation, AudioSet_evaluation …")
    ] = None,
    metadata_csv: Annotated[Path | None, typer.Option("--metadata-csv", help="The benchmark's table.")] = None,
    audio_dir: Annotated[
        Path | None, typer.Option("--audio-dir", help="Its audio.  [default: beside the table]")
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="Where the run will write.  [default: here]")] = None,
    clips: Annotated[int | None, typer.Option(help="Clips of --data to look at; 0: all.  [default: 1000]")] = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check versions, device, disk, models, hashes, data and benchmark; exit code 1 if something is wrong.

    Example: dplass doctor --data partition --base-checkpoint audiosep.ckpt --tokenizer roberta-base --workspace run
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.doctor import DoctorOptions, doctor

        checks = doctor(options_of(DoctorOptions, context), run.progress)
        rows = [[check.what, check.state, check.found, check.remedy] for check in checks]
        run.result(checks, lambda: plain_table("", ["checked", "", "found", "remedy"], rows, left=4))
        if any(check.state == "wrong" for check in checks):
            raise typer.Exit(EXIT_SOME_FAILED)
