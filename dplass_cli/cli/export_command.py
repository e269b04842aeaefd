"""``dplass export``: a network with an adapter in it for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Base, Config, Json, Settings, Trust, Verbose, options_of, plain_table, verb


def command(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file: .onnx, or .xml (and .bin).")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="onnx or openvino.  [default: as the output's suffix says]")
    ] = None,
    adapters: Annotated[
        list[str] | None, typer.Option(help="Bank, adapter folder or published file; repeatable.  [default: none]")
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="single:k or base.  [default: the one adapter, where there is one]")
    ] = None,
    base_checkpoint: Base = None,
    trust_checkpoint: Trust = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a base with one adapter merged into it as a graph that takes a waveform and gives a waveform.

    Example: dplass export --adapters run/bank --select single:3 --output dogs.onnx
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.export import ExportOptions, export

        result = export(options_of(ExportOptions, context, {"form": "format"}))
        graph = result.files[0]
        rows = [
            [str(graph), kind, name, " x ".join(map(str, shape)), "float32"]
            for kind, named in (("input", result.inputs), ("output", result.outputs))
            for name, shape in named.items()
        ]
        run.result(result, lambda: plain_table("", ["written", "", "name", "shape", "type"], rows, left=3))
        run.note(f"{result.sample_rate} Hz; adapter: {result.adapter or 'none'}; docs/export.md shows its use")
