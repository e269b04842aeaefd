"""``dplass partition``: a manifest's captions to domains."""

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
    from dplass_cli.pipelines.partition import PartitionResult


def command(
    context: typer.Context,
    manifest: Annotated[Path | None, typer.Argument(help="Training manifest, such as train.json.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The partition folder to write.")] = None,
    domains: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Number of domains; auto finds it.  [default: 7]")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="kmeans, spherical-kmeans, agglomerative, or hdbscan (its own number).  [default: kmeans]"),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="audio (how captions sound), text (what they say) or both.  [default: audio]")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="captions weigh the same, or by their clips.  [default: captions]")
    ] = None,
    encoder: OneEncoder = None,
    tokenizer: Tokenizer = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.  [default: 42]")] = None,
    import_file: Annotated[
        Path | None, typer.Option("--import", help="Adopt a published partition instead of clustering.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="AudioSet's class_labels_indices.csv: matches rows' labels to --import.")
    ] = None,
    report: Annotated[
        bool | None, typer.Option("--report", help="Judge 2 to 15 domains, in a table and a plot.")
    ] = None,
    map: Annotated[str | None, typer.Option(help="tsne, umap or pca.  [default: tsne]")] = None,
    val_fraction: Annotated[
        float | None, typer.Option(help="Part of the clips to hold out for validation.  [default: 0.1]")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of audio embeddings, such as embed fills.")] = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Cluster a manifest's captions into domains of sound.

    Example: dplass partition train.json --output partition
    """
    with verb(json, verbose) as run:
        from dplass_cli.errors import some
        from dplass_cli.pipelines.partition import PartitionOptions, partition

        number = int(domains) if domains and domains.isdecimal() else domains
        result = partition(options_of(PartitionOptions, context, more={"domains": number}), run.progress)
        summary = {
            "folder": str(result.folder),
            "domains": [
                {
                    "id": d.id,
                    "name": d.name,
                    "typical": list(d.typical),
                    "captions": list(d.captions),
                    "training_rows": result.training_rows[d.id],
                    "validation_mixtures": result.validation_mixtures[d.id],
                }
                for d in result.partition.domains
            ],
            "quality": result.quality,
            "numbers": result.numbers,
            "unmatched": list(result.unmatched),
        }
        run.result(summary, lambda: _tables(result))
        if result.unmatched:
            run.note(
                f"{len(result.unmatched)} captions were not in the imported partition and went to the nearest domain"
                f" (listed in {result.folder / 'report.html'}): {some(result.unmatched)}"
            )


def _tables(result: PartitionResult) -> Any:
    from rich.console import Group

    rows = [
        [
            f"{d.id} {d.name}",
            "; ".join(d.typical),
            str(len(d.captions)),
            str(result.training_rows[d.id]),
            str(result.validation_mixtures[d.id]),
        ]
        for d in result.partition.domains
    ]
    columns = ["domain", "typical captions", "captions", "training rows", "validation mixtures"]
    title = f"{result.folder}: {len(rows)} domains (silhouette {_figure(result.quality.silhouette)}); see report.html"
    tables = [plain_table(title, columns, rows, left=2)]
    if result.numbers:
        judged = [
            [
                f"{row.domains}{' *' if row.domains == result.quality.domains else ''}",
                *map(_figure, (row.silhouette, row.davies_bouldin, row.within_between, row.seeds, row.bootstrap)),
            ]
            for row in result.numbers
        ]
        columns = ["domains", "silhouette", "Davies-Bouldin", "within / between", "stable: seeds", "bootstrap"]
        tables.append(plain_table("Numbers of domains (* this partition)", columns, judged))
    return Group(*tables)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
