"""``dplass retrieve``: the sounds of a manifest that sentences describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from dplass_cli.pipelines.retrieve import RetrieveResult


def command(
    context: typer.Context,
    query: Annotated[list[str] | None, typer.Argument(help="What to find.")] = None,
    data: Annotated[Path | None, typer.Option(help="Manifest of the sounds, such as train.json.")] = None,
    top: Annotated[int | None, typer.Option(help="How many of the nearest.  [default: 10]")] = None,
    evaluate: Annotated[
        bool | None, typer.Option("--eval", help="Measure how well the manifest's captions find their sounds.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings, as embed keeps them.")] = None,
    encoder: OneEncoder = None,
    tokenizer: Tokenizer = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find the sounds of a manifest that are nearest a sentence.

    Example: dplass retrieve "a dog barking" --data train.json --cache embeddings
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.retrieve import RetrieveOptions, retrieve

        result = retrieve(options_of(RetrieveOptions, context), run.progress)
        run.result(result, lambda: _tables(result))
        run.some_failed(result.failed.values())


def _tables(result: RetrieveResult) -> Any:
    from rich.console import Group

    tables = []
    for query, found in result.found.items():
        rows = [[str(sound.rank), sound.wav, " | ".join(sound.captions), f"{sound.similarity:.3f}"] for sound in found]
        tables.append(plain_table(query, ["", "sound", "captions", "similarity"], rows, left=3))
    if result.evaluation is not None:
        scored = result.evaluation
        cells = [f"{share:.1%}" for share in scored.recall.values()]
        cells += [f"{scored.map10:.3f}", f"{scored.median_rank:g}", str(scored.queries), str(scored.sounds)]
        columns = [*(f"R@{k}" for k in scored.recall), "mAP@10", "median rank", "captions", "sounds"]
        tables.append(plain_table("Text to audio", columns, [cells], left=0))
    return Group(*tables)
