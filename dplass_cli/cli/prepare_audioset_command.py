"""``dplass prepare-audioset``: AudioSet's lists and a folder of clips to a training manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import Config, Json, Settings, Verbose, options_of, plain_table, verb

if TYPE_CHECKING:
    from dplass_cli.data.prepare.preparation import PrepareResult

AudioDir = Annotated[list[Path] | None, typer.Option("--audio-dir", help="Folder of clips; repeatable.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="The manifest to write, such as train.json.")]
Check = Annotated[str | None, typer.Option(help="none, header or decode.  [default: header]")]
FileList = Annotated[Path | None, typer.Option(help="Paths of the clips, one a line, instead of a walk.")]
MaxMissing = Annotated[float | None, typer.Option(help="Stop when a larger share of clips is missing.  [default: 0.5]")]
MaxPerClass = Annotated[int | None, typer.Option(help="At most so many rows a class; rare classes come first.")]
Clean = Annotated[
    bool | None, typer.Option("--clean", help="Correct captions (see metadata/caption_corrections.yaml).")
]
Convert = Annotated[str | None, typer.Option(help="Copy the clips into a form that is cheap to read: 32k-mono-flac.")]
Report = Annotated[Path | None, typer.Option(help="Write an HTML page about classes and reasons.")]

_SHOWN = 15  # classes and changed captions in the tables; all are in --json and in the report


def command(
    context: typer.Context,
    segments: Annotated[
        list[Path] | None, typer.Option(help="Segment list (weak .csv or strong .tsv); repeatable.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Class list: class_labels_indices.csv, or mid_to_display_name.tsv.")
    ] = None,
    audio_dir: AudioDir = None,
    output: Output = None,
    captions: Annotated[str | None, typer.Option(help="single, each, joined or file.  [default: single]")] = None,
    caption_file: Annotated[
        Path | None, typer.Option(help="CSV (youtube_id, caption) for --captions file, such as AudioCaps'.")
    ] = None,
    exclude_label: Annotated[
        list[str] | None, typer.Option(help="Leave out clips with this class (name or mid); repeatable.")
    ] = None,
    include_domain: Annotated[
        list[int] | None, typer.Option(help="Keep classes of this domain of --domains; repeatable.")
    ] = None,
    domains: Annotated[Path | None, typer.Option(help="A partition folder, or a published partition (JSON).")] = None,
    max_per_class: MaxPerClass = None,
    check: Check = None,
    name_map: Annotated[Path | None, typer.Option(help="CSV (YTID, filename) for clips with other names.")] = None,
    name_pattern: Annotated[
        str | None, typer.Option(help="How clips are named: {id}, {start}, {end}, {start_ms}, {end_ms}.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="Keep these YTIDs only: a text file, one a line.")] = None,
    file_list: FileList = None,
    max_missing: MaxMissing = None,
    clean: Clean = None,
    convert: Convert = None,
    report: Report = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Build the training manifest from AudioSet's lists; rejects.csv says why a clip is not in it.

    Example: dplass prepare-audioset --segments balanced_train_segments.csv --labels class_labels_indices.csv
    --audio-dir audio --output train.json
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.prepare_audioset import PrepareOptions, prepare_audioset

        result = prepare_audioset(options_of(PrepareOptions, context), run.progress)
        run.result(result, lambda: tables(result))


def tables(result: PrepareResult) -> Any:
    """What was prepared: one line, and a table of whatever there is to tell about reasons, classes, captions."""
    from rich.console import Group

    title = f"{result.manifest}: {result.rows} rows from {result.used_clips} of {result.segments} clips"
    if result.audio is not None:
        rates = ", ".join(f"{rate} Hz" for rate in list(result.audio.sample_rates)[:3])
        title += f", {result.audio.hours:.2f} h, {rates}"
    parts: list[Any] = [title]
    if result.rejected:
        reasons = [[reason, str(count)] for reason, count in result.rejected.items()]
        parts.append(plain_table(f"{result.rejects}", ["not used because", "clips"], reasons))
    if result.classes:
        shown = list(result.classes.items())[:_SHOWN]
        rows = [[name, str(count.used), str(count.rejected)] for name, count in shown]
        if len(result.classes) > _SHOWN:
            rows.append([f"… {len(result.classes) - _SHOWN} more (--json, --report)", "", ""])
        parts.append(plain_table("", ["class", "rows", "rejected"], rows))
    if result.cleaned:
        changed = [[change, str(count)] for change, count in list(result.cleaned.items())[:_SHOWN]]
        parts.append(plain_table("", [f"caption changed ({len(result.cleaned)})", "rows"], changed))
    if result.converted:
        parts.append(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in result.converted.items()))
    return Group(*parts)
