"""``dplass embed``: audio embeddings of a manifest's clips, kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.common import (
    EXIT_SOME_FAILED,
    Config,
    Device,
    Json,
    Settings,
    Tokenizer,
    Trust,
    Verbose,
    plain_table,
    verb,
)


def command(
    manifest: Annotated[Path | None, typer.Argument(help="Manifest, such as train.json.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the embeddings.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Query encoder: tiny or a file.  [default: tiny]")] = None,
    tokenizer: Tokenizer = None,
    batch: Annotated[int | None, typer.Option(help="Clips the encoder takes at once.  [default: 32]")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that read ahead.  [default: 4]")] = None,
    identity: Annotated[
        str | None, typer.Option(help="Know a file by path (and size, time) or by content.  [default: path]")
    ] = None,
    trust: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Embed a manifest's clips; what is embedded already is not embedded again. Under torchrun, a share each.

    Example: dplass embed train.json --output embeddings
    """
    with verb(json, verbose) as run:
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.embed import EmbedOptions, embed

        flags = {
            "manifest": manifest,
            "output": output,
            "encoder": encoder,
            "tokenizer": tokenizer,
            "embedding.batch": batch,
            "embedding.readers": workers,
            "embedding.identity": identity,
            "trust_checkpoint": trust,
            "device": device,
        }
        result = embed(build_options(EmbedOptions, config, settings or (), flags), run.progress)
        counts = [str(n) for n in (result.rows, result.clips, result.hits, result.embedded, len(result.failed))]
        columns = ["manifest rows", "clips of this share", "found", "embedded", "failed"]
        run.result(result, lambda: plain_table("", columns, [counts]))
        if not result.complete:
            run.note("other shares of this manifest are not done yet; the last to end writes rows.npy")
        for reason in result.failed.values():
            run.note(f"dplass: {reason}")
        if result.failed:
            raise typer.Exit(EXIT_SOME_FAILED)
