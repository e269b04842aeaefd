"""``dplass weights``: the published weights and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.common import EXIT_SOME_FAILED, Json, Verbose, plain_table, verb

app = typer.Typer(no_args_is_help=True, help="Published weights and lists: list, fetch, verify.")

Folder = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Their folder.  [default: $DPLASS_HOME/weights or ~/.cache/dplass/weights]"),
]
Lock = Annotated[Path | None, typer.Option(help="File of pinned hashes.  [default: in the folder]")]


@app.command("list")
def list_(output: Folder = None, json: Json = False, verbose: Verbose = False) -> None:
    """List what can be fetched: what for, size, licence, and whether it is there.

    Example: dplass weights list
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import list_weights

        listed = list_weights(output)
        rows = [
            [item.name, item.entry.what, f"{item.mb:,.1f}" if item.mb else "?", item.entry.licence, item.present]
            for item in listed
        ]
        run.result(listed, lambda: plain_table("", ["name", "what", "MB", "licence", "there"], rows))


@app.command("fetch")
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="What to fetch, as list names it.")] = None,
    output: Folder = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; check what is there.")] = False,
    lock: Lock = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fetch weights or lists, go on where a fetch was cut, and pin their hashes.

    Example: dplass weights fetch audiosep clap tokenizer
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import FetchOptions, fetch_weights

        checked = fetch_weights(FetchOptions(tuple(names or ()), output, offline, lock), run.progress)
        rows = [[item.name, str(item.path), item.state] for item in checked]
        run.result(checked, lambda: plain_table("", ["file", "where", "state"], rows))


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="What to verify; all that was fetched for none.")] = None,
    output: Folder = None,
    lock: Lock = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Hash what was fetched again and compare with the pinned hashes.

    Example: dplass weights verify
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.weights import verify_weights

        checked = verify_weights(names or (), output, lock)
        rows = [[item.name, item.state, (item.sha256 or "–")[:16]] for item in checked]
        run.result(checked, lambda: plain_table("", ["file", "state", "sha256"], rows))
        wrong = [item for item in checked if item.state != "same"]
        for item in wrong:
            run.note(f"dplass: {item.path}: {item.state}; remove it and fetch it again")
        if wrong:
            raise typer.Exit(EXIT_SOME_FAILED)
