"""``dplass weights``: list, fetch and verify published weights and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Config, Json, Settings, Verbose, options_of, plain_table, verb

app = typer.Typer(no_args_is_help=True, help="Published weights and lists: where they come from, and fetching them.")

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder of fetched files.  [default: $DPLASS_HOME, else ~/.cache/dplass]"),
]
Lock = Annotated[
    Path | None, typer.Option(help="File with the pinned hashes.  [default: dplass-weights.lock.json in --output]")
]
TableFile = Annotated[Path | None, typer.Option("--table", help="A table of your own.  [default: the shipped one]")]


@app.command("list")
def list_command(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="What to list.  [default: all]")] = None,
    output: Output = None,
    table: TableFile = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List known files: what for, how large, which licence, and where they are if fetched.

    Example: dplass weights list
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import WeightsOptions, list_weights

        listed = list_weights(options_of(WeightsOptions, context))
        rows = []
        for item in listed:
            size = _bytes(sum(file.size or 0 for file in item.row.files))
            where = str(item.folder or "-")
            if item.folder and item.missing:
                where += f" ({len(item.missing)} of {len(item.row.files)} files missing)"
            rows.append([item.name, item.row.what, size, item.row.licence, where])
        run.result(listed, lambda: plain_table("", ["name", "what for", "about", "licence", "where"], rows, left=5))


@app.command("fetch")
def fetch_command(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="What to fetch; see dplass weights list.")] = None,
    output: Output = None,
    offline: Annotated[bool | None, typer.Option("--offline", help="Fetch nothing; say what is missing.")] = None,
    lock: Lock = None,
    table: TableFile = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fetch what is missing, go on where a download was cut, and pin every file's hash when it is first seen.

    Example: dplass weights fetch clap roberta
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import WeightsOptions, fetch_weights, list_weights

        options = options_of(WeightsOptions, context)
        fetched = fetch_weights(options, run.progress)
        rows = [
            [str(f.path), _bytes(f.size), f.sha256[:12], "fetched" if f.downloaded else "was there"] for f in fetched
        ]
        run.result(fetched, lambda: plain_table("", ["file", "size", "sha256", ""], rows, left=4))
        for item in list_weights(options):
            run.note(f"{item.name}: licence {item.row.licence}. {item.row.note or ''}".rstrip())


@app.command("verify")
def verify_command(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="What to verify.  [default: all that is there]")] = None,
    output: Output = None,
    lock: Lock = None,
    table: TableFile = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Hash fetched files again and compare them with the pinned hashes; exit code 1 if one differs or is missing.

    Example: dplass weights verify
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import WeightsOptions, verify_weights

        verified = verify_weights(options_of(WeightsOptions, context), run.progress)
        rows = [[str(v.path), v.status, (v.expected or "-")[:12], (v.found or "-")[:12]] for v in verified]
        run.result(verified, lambda: plain_table("", ["file", "status", "expected", "found"], rows, left=4))
        wrong = {"differs": "differs; move it away and fetch again", "missing": "is missing; fetch it"}
        run.some_failed(f"{v.path} {wrong[v.status]}" for v in verified if v.status in wrong)


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"
