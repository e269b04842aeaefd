"""``dplass partition``: a manifest's captions to domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, plain_table
from dplass_cli.errors import some
from dplass_cli.options.partition_options import PartitionOptions

if TYPE_CHECKING:
    from dplass_cli.domains.partitioning import PartitionResult


def command(options: PartitionOptions, run: VerbRun) -> None:
    """Cluster a manifest's captions into domains of sound.

    Example: dplass partition train.json --output partition
    """
    from dplass_cli.pipelines.partition import partition

    result = partition(options, run.progress)
    run.result(_summary(result), lambda: _tables(result))
    if result.unmatched:
        run.note(
            f"{len(result.unmatched)} captions are not in the imported partition and went to the nearest domain"
            f" (listed in {result.folder / 'report.html'}): {some(result.unmatched)}"
        )


def _summary(result: PartitionResult) -> dict[str, Any]:
    return {
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


def _tables(result: PartitionResult) -> Any:
    from rich.console import Group

    rows = [
        [
            f"{d.id} {d.name}",
            "; ".join(d.typical),
            len(d.captions),
            result.training_rows[d.id],
            result.validation_mixtures[d.id],
        ]
        for d in result.partition.domains
    ]
    columns = ["domain", "typical captions", "captions", "training rows", "validation mixtures"]
    quality = _figure(result.quality.silhouette) or "not defined"
    title = f"{result.folder}: {len(rows)} domains (silhouette {quality}); see report.html"
    tables = [plain_table(columns, rows, title, left=2)]
    if result.numbers:
        judged = [
            [
                f"{row.domains}{' *' if row.domains == result.quality.domains else ''}",
                *map(_figure, (row.silhouette, row.davies_bouldin, row.within_between, row.seeds, row.bootstrap)),
            ]
            for row in result.numbers
        ]
        columns = ["domains", "silhouette", "Davies-Bouldin", "within / between", "stable: seeds", "bootstrap"]
        tables.append(plain_table(columns, judged, "Numbers of domains (* this partition)"))
    return Group(*tables)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
