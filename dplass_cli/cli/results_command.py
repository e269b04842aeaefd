"""``dplass results``: compare evaluations, tabulate all of a folder, and tell how far two sets of sounds are apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Json, Tokenizer, Trust, Verbose, plain_table, verb

app = typer.Typer(no_args_is_help=True, help="Compare evaluations; tabulate all of a folder; distances of sounds.")


@app.command("compare")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Evaluation folders; the first is compared with.")],
    select: Annotated[str | None, typer.Option(help="Policies, such as base,text.  [default: all in common]")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of table and plot.")] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare runs on the items they share, by a paired bootstrap.

    Example: dplass results compare first second --output comparison
    """
    with verb(json, verbose) as run:
        from dplass_cli.evaluation.comparison import comparison_table
        from dplass_cli.pipelines.results import compare_results

        compared = compare_results(runs, select.split(",") if select else None, output)
        run.result(compared, lambda: comparison_table(compared.lines).rich())


@app.command("scan")
def scan(
    folder: Annotated[Path, typer.Argument(help="A folder with evaluations below it.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Markdown file of the table.")] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tabulate every evaluation below a folder.

    Example: dplass results scan runs
    """
    with verb(json, verbose) as run:
        from dplass_cli.evaluation.scan import scan_table
        from dplass_cli.pipelines.results import scan_results

        found = scan_results(folder, output)
        run.result(found, lambda: scan_table(found).rich())


@app.command("fad")
def fad(
    first: Annotated[Path, typer.Argument(help="A folder of sounds.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
    encoder: Annotated[str, typer.Option(help="Whose embeddings: tiny or a file.")] = "tiny",
    tokenizer: Tokenizer = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings to use and to keep.")] = None,
    trust: Trust = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell the Fréchet audio distance of two folders of sounds: how unlike generated sounds are to real ones.

    Example: dplass results fad generated recorded
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.results import fad as measure

        result = measure(first, second, encoder, tokenizer, cache, device, bool(trust), run.progress)
        cells = [f"{result.distance:.4f}", *map(str, result.sounds), result.encoder]
        columns = ["Fréchet audio distance", "sounds of the first", "of the second", "embeddings"]
        run.result(result, lambda: plain_table("", columns, [cells], left=0))
        if min(result.sounds) <= result.size:
            run.note(
                f"fewer sounds than the {result.size} dimensions of an embedding: the distance is biased upwards;"
                " compare it only with that of sets of the same sizes"
            )
        run.some_failed(result.failed.values())
