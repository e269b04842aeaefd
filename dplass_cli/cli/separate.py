"""``dplass separate``: recordings and sentences in, targets out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dplass_cli.cli.common import (
    EXIT_SOME_FAILED,
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
    plain_table,
    verb,
)


def command(
    inputs: Annotated[list[Path] | None, typer.Argument(help="Recordings: wav, flac, ogg, mp3 …")] = None,
    query: Annotated[list[str] | None, typer.Option("--query", "-q", help="What to separate; repeatable.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the targets.")] = None,
    residual: Annotated[bool, typer.Option("--residual", help="Also write the input less all targets.")] = False,
    adapters: Adapters = None,
    select: Annotated[
        str | None,
        typer.Option(help="text, text-knn, audio, blend, base or single:k.  [default: text with adapters, else base]"),
    ] = None,
    subtype: Annotated[
        str | None, typer.Option(help="Sample format, such as PCM_16 or FLOAT.  [default: the input's]")
    ] = None,
    base_checkpoint: Base = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    trust: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Separate the sounds that sentences describe out of recordings.

    Example: dplass separate mix.wav --query "a dog barking" --output out
    """
    with verb(json, verbose) as run:
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.separate import SeparateOptions, separate

        flags = {
            "inputs": inputs,
            "query": query,
            "output": output,
            "residual": residual or None,
            "adapters": adapters,
            "select": select,
            "subtype": subtype,
            "base_checkpoint": base_checkpoint,
            "encoder": encoder,
            "tokenizer": tokenizer,
            "trust_checkpoint": trust,
            "device": device,
        }
        result = separate(build_options(SeparateOptions, config, settings or (), flags), run.progress)
        rows = [[str(s.path), s.query, _adapter(s.adapter)] for written in result.written.values() for s in written]
        run.result(result, lambda: plain_table("", ["written", "query", "adapter"], rows))
        for written in result.written.values():
            for target in written:
                if target.clipped:
                    run.note(
                        f"{target.path}: {target.clipped} samples limited to full scale; --subtype FLOAT keeps them"
                    )
        for path, reason in result.failed.items():
            run.note(f"dplass: {path} failed: {reason}")
        if result.failed:
            raise typer.Exit(EXIT_SOME_FAILED)


def _adapter(served: Any) -> str:
    """What served a query, in a word."""
    return "base" if served is None else served if isinstance(served, str) else "blend"
