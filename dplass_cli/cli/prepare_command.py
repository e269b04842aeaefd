"""``dplass prepare KIND``: other corpora to a training manifest, and manifests to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Config, Json, Settings, Verbose, options_of, plain_table, verb
from dplass_cli.cli.prepare_audioset_command import (
    AudioDir,
    Check,
    Clean,
    Convert,
    FileList,
    MaxMissing,
    MaxPerClass,
    Output,
    Report,
    tables,
)
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Training manifests from other corpora, and from several manifests.")


def command(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Where the corpus lies.")] = None,
    output: Output = None,
    table: Annotated[list[Path] | None, typer.Option(help="Its list, where not found in the folder.")] = None,
    audio_dir: AudioDir = None,
    split: Annotated[str | None, typer.Option(help="The part of the corpus, such as train.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="Only lines with COLUMN=VALUE,VALUE; repeatable.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="ROLE=COLUMN: which column is wav, caption, labels, id, start or end; repeatable."),
    ] = None,
    captions: Annotated[
        str | None, typer.Option(help="Of clips with several classes: single, each or joined.  [default: each]")
    ] = None,
    max_per_class: MaxPerClass = None,
    check: Check = None,
    name_pattern: Annotated[
        str | None, typer.Option(help="How clips of videos are named: {id}, {start}, {end}, {start_ms}, {end_ms}.")
    ] = None,
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
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.prepare import CorpusOptions, prepare_corpus

        more = {"kind": context.info_name, "where": _pairs("--where", where), "column": _pairs("--column", column)}
        result = prepare_corpus(options_of(CorpusOptions, context, more=more), run.progress)
        run.result(result, lambda: tables(result))


for _kind, _corpus in CORPORA.items():
    if _corpus.verb:  # it has a verb of its own
        continue
    _help = f"{_corpus.what} ({_corpus.source}).\n\nExample: dplass prepare {_kind} FOLDER --output train.json"
    app.command(_kind, help=_help)(command)


@app.command("merge")
def merge_command(
    context: typer.Context,
    manifests: Annotated[list[Path] | None, typer.Argument(help="Manifests.")] = None,
    output: Output = None,
    share: Annotated[
        list[float] | None, typer.Option(help="Rows of each manifest a row of the first, in their order; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the choice of rows.  [default: 42]")] = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make one manifest of several, all of each or in shares.

    Example: dplass prepare merge real.json generated.json --share 1 --share 3 --output train.json
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.prepare import MergeOptions, merge

        result = merge(options_of(MergeOptions, context))
        rows = [[str(s.manifest), str(s.rows), str(s.used), str(s.repeated)] for s in result.sources]
        title = f"{result.manifest}: {result.rows} rows"
        run.result(result, lambda: plain_table(title, ["from", "rows", "used", "of them repeated"], rows))


def _pairs(flag: str, texts: list[str] | None) -> dict[str, str] | None:
    """Split KEY=VALUE texts."""
    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(f"{flag} {text!r}: expected NAME=VALUE")
        pairs[key.strip()] = value.strip()
    return pairs or None
