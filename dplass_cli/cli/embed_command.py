"""``dplass embed``: audio embeddings of a manifest's clips, kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import (
    Config,
    Device,
    Json,
    OneEncoder,
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
    manifest: Annotated[Path | None, typer.Argument(help="Manifest, such as train.json.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the embeddings.")] = None,
    encoder: OneEncoder = None,
    tokenizer: Tokenizer = None,
    batch: Annotated[int | None, typer.Option(help="Clips the encoder takes at once.  [default: 32]")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that read ahead.  [default: 4]")] = None,
    identity: Annotated[
        str | None,
        typer.Option(help="Know a file by path (and size, time) or by content.  [default: the folder's, or path]"),
    ] = None,
    trust_checkpoint: Trust = None,
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
        from dplass_cli.pipelines.embed import EmbedOptions, embed

        names = {"batch": "embedding.batch", "workers": "embedding.readers", "identity": "embedding.identity"}
        result = embed(options_of(EmbedOptions, context, names), run.progress)
        counts = [str(n) for n in (result.rows, result.clips, result.hits, result.embedded, len(result.failed))]
        columns = ["manifest rows", "clips of this share", "found", "embedded", "failed"]
        run.result(result, lambda: plain_table("", columns, [counts]))
        if not result.complete:
            run.note("other shares of this manifest are not done yet; the last to end writes rows.npy")
        run.some_failed(result.failed.values())
