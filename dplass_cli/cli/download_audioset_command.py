"""``dplass download-audioset``: the clips of segment lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Config, Json, Settings, Verbose, options_of, plain_table, verb


def command(
    context: typer.Context,
    segments: Annotated[
        list[Path] | None, typer.Option(help="Segment list (weak .csv or strong .tsv); repeatable.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the clips; goes on there.")] = None,
    ids: Annotated[Path | None, typer.Option(help="Fetch these YTIDs only: a text file, one a line.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips now.")] = None,
    pause: Annotated[float | None, typer.Option(help="Seconds between two videos.  [default: 2]")] = None,
    retry_failed: Annotated[
        bool | None, typer.Option("--retry-failed", help="Try again what failures.csv lists.")
    ] = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fetch the audio of AudioSet's segments, cut to them. Needs the extra: pip install 'dplass[download]'.

    You are the one who fetches: mind the terms of the site and the rights of those who made the videos.

    Example: dplass download-audioset --segments balanced_train_segments.csv --output audio
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.download_audioset import DownloadOptions, download_audioset

        result = download_audioset(options_of(DownloadOptions, context), run.progress)
        counts = (result.segments, result.fetched, result.found, len(result.failed), result.left)
        columns = ["clips asked for", "fetched", "there before", "failed", "not tried"]
        run.result(result, lambda: plain_table(str(result.folder), columns, [[str(count) for count in counts]], left=0))
        if result.failed:
            run.some_failed([f"{len(result.failed)} clips cannot be had; {result.failures} says why"])
