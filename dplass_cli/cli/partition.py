"""``dplass partition``: a manifest's captions to domains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.common import Config, Device, Json, Settings, Tokenizer, Trust, Verbose, plain_table, verb


def command(
    manifest: Annotated[Path | None, typer.Argument(help="Training manifest, such as train.json.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The partition folder to write.")] = None,
    domains: Annotated[int | None, typer.Option(help="Number of domains.  [default: 7]")] = None,
    features: Annotated[
        str | None, typer.Option(help="audio (how captions sound), text (what they say) or both.  [default: audio]")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="captions weigh the same, or by their clips.  [default: captions]")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Query encoder: tiny or a file.  [default: tiny]")] = None,
    tokenizer: Tokenizer = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.  [default: 42]")] = None,
    import_file: Annotated[
        Path | None, typer.Option("--import", help="Adopt a published partition instead of clustering.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of audio embeddings, such as embed fills.")] = None,
    trust: Trust = None,
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
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.partition import PartitionOptions, partition

        flags = {
            "manifest": manifest,
            "output": output,
            "domains": domains,
            "features": features,
            "weight": weight,
            "encoder": encoder,
            "tokenizer": tokenizer,
            "seed": seed,
            "import_file": import_file,
            "cache": cache,
            "trust_checkpoint": trust,
            "device": device,
        }
        result = partition(build_options(PartitionOptions, config, settings or (), flags), run.progress)
        rows = [
            [
                f"{d.id} {d.name}",
                str(len(d.captions)),
                str(result.training_rows[d.id]),
                str(result.validation_mixtures[d.id]),
            ]
            for d in result.partition.domains
        ]
        columns = ["domain", "captions", "training rows", "validation mixtures"]
        summary = {
            "folder": str(result.folder),
            "domains": [
                {
                    "id": d.id,
                    "name": d.name,
                    "captions": list(d.captions),
                    "training_rows": result.training_rows[d.id],
                    "validation_mixtures": result.validation_mixtures[d.id],
                }
                for d in result.partition.domains
            ],
            "unmatched": list(result.unmatched),
        }
        run.result(summary, lambda: plain_table(f"{result.folder}: {len(rows)} domains", columns, rows))
        if result.unmatched:
            run.note(
                f"{len(result.unmatched)} captions were not in the imported partition and went to the nearest domain"
            )
