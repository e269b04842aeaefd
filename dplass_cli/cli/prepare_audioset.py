"""``dplass prepare-audioset``: AudioSet's lists and a folder of clips to a training manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.common import Config, Json, Settings, Verb, Verbose, plain_table, verb


def command(
    segments: Annotated[list[Path] | None, typer.Option(help="Segment list (CSV); repeatable.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Class list: class_labels_indices.csv.")] = None,
    audio_dir: Annotated[list[Path] | None, typer.Option("--audio-dir", help="Folder of clips; repeatable.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The manifest to write, such as train.json.")
    ] = None,
    captions: Annotated[str | None, typer.Option(help="single, each or joined.  [default: single]")] = None,
    check: Annotated[str | None, typer.Option(help="none, header or decode.  [default: header]")] = None,
    name_map: Annotated[Path | None, typer.Option(help="CSV (YTID, filename) for clips with other names.")] = None,
    ids: Annotated[Path | None, typer.Option(help="Keep these YTIDs only: a text file, one a line.")] = None,
    file_list: Annotated[Path | None, typer.Option(help="Paths of the clips, one a line, instead of a walk.")] = None,
    max_missing: Annotated[
        float | None, typer.Option(help="Stop when a larger share of clips is missing.  [default: 0.5]")
    ] = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Build the training manifest from AudioSet's CSV files.

    Example: dplass prepare-audioset --segments balanced_train_segments.csv --labels class_labels_indices.csv
    --audio-dir audio --output train.json
    """
    with verb(json, verbose) as run:
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.prepare_audioset import PrepareOptions, prepare_audioset

        flags = {
            "segments": segments,
            "labels": labels,
            "audio_dir": audio_dir,
            "output": output,
            "captions": captions,
            "check": check,
            "name_map": name_map,
            "ids": ids,
            "file_list": file_list,
            "max_missing": max_missing,
        }
        result = prepare_audioset(build_options(PrepareOptions, config, settings or (), flags), run.progress)
        rows = [[reason, str(count)] for reason, count in result.rejected.items()]
        title = f"{result.manifest}: {result.rows} rows from {result.used_clips} of {result.segments} clips"
        _show(run, result, title, rows)


def _show(run: Verb, result: object, title: str, rows: list[list[str]]) -> None:
    run.result(result, lambda: plain_table(title, ["not used because", "clips"], rows) if rows else title)
