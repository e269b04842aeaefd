"""The ``dplass`` command: one file a verb. Nothing heavy is imported here; a verb imports its pipeline when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from dplass_cli import __version__
from dplass_cli.cli import evaluate, partition, prepare_audioset, quickstart, separate, train

app = typer.Typer(
    name="dplass",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dplass {__version__}")
        raise typer.Exit


@app.callback()
def dplass(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Separate sounds by description, and train, choose and measure the adapters that do it best."""


app.command("prepare-audioset")(prepare_audioset.command)
app.command("partition")(partition.command)
app.command("train")(train.command)
app.command("evaluate")(evaluate.command)
app.command("separate")(separate.command)
app.command("quickstart")(quickstart.command)
