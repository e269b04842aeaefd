"""The ``dplass`` command: one file a verb. Nothing heavy is imported here; a verb imports its pipeline when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dplass_cli import __version__
from dplass_cli.cli import (
    adapters_command,
    doctor_command,
    domains_command,
    download_audioset_command,
    embed_command,
    evaluate_command,
    export_command,
    partition_command,
    prepare_audioset_command,
    prepare_command,
    quickstart_command,
    results_command,
    retrieve_command,
    separate_command,
    serve_command,
    sweep_command,
    train_command,
    weights_command,
)
from dplass_cli.errors import one_line

PUBLISHED_SPELLINGS = {
    "--config_yaml": "--config",
    "--checkpoint_path": "--base-checkpoint",
    "--base_checkpoint": "--base-checkpoint",
    "--dora_checkpoints": "--adapters",
    "--max_epochs": "--max-epochs",
    "--num_gpus": "--num-gpus",
    "--metadata_csv": "--metadata-csv",
    "--audio_dir": "--audio-dir",
}


# The parser's errors, of click or of typer's own copy of it, which has no public name.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


class _Suite(TyperGroup):
    """The verbs; flags as the published scripts spell them are understood, and not shown.

    What the parser refuses is one line, as every other error of the verbs is.
    """

    def main(self, *args: Any, **named: Any) -> Any:
        alone, named["standalone_mode"] = named.get("standalone_mode", True), False
        if not alone:
            return super().main(*args, **named)
        try:
            code = super().main(*args, **named)
        except _UsageError as error:
            if type(error).__name__ != "NoArgsIsHelpError":  # the help has been shown
                verb = f"{error.ctx.command_path} " if error.ctx else ""
                said = one_line(error.format_message()).rstrip(".")
                hint = "" if said.endswith("?") else f"; {verb}--help shows an example"
                typer.echo(f"dplass: {said}{hint}", err=True)
            code = error.exit_code
        sys.exit(code)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_our_spelling(argument) for argument in _one_by_one(args)])


def _one_by_one(arguments: list[str]) -> list[str]:
    """Repeat ``--dora_checkpoints``, which the published scripts give once for all files, before each of them."""
    repeated: list[str] = []
    listing = False
    for argument in arguments:
        listing = argument == "--dora_checkpoints" or (listing and not argument.startswith("-"))
        if argument != "--dora_checkpoints":
            repeated += ["--dora_checkpoints", argument] if listing else [argument]
    return repeated


def _our_spelling(argument: str) -> str:
    flag, equals, value = argument.partition("=")
    return PUBLISHED_SPELLINGS.get(flag, flag) + equals + value


app = typer.Typer(
    name="dplass",
    cls=_Suite,
    invoke_without_command=True,  # to say what to do next
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # in rich's own markup "[default: …]" would be a tag, and vanish
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dplass {__version__}")
        raise typer.Exit


@app.callback()
def dplass(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Separate sounds by description, and train, choose and measure the adapters that do it best."""
    if context.invoked_subcommand is None:
        from dplass_cli.pipelines.next_step import next_step

        step = next_step(Path())
        typer.echo(f"Here: {step.found}.\nNext: {step.advice}.\n")
        typer.echo("".join(f"    {command}\n" for command in step.commands))
        typer.echo("All verbs: dplass --help")


app.command("prepare-audioset")(prepare_audioset_command.command)
app.command("partition")(partition_command.command)
app.command("train")(train_command.command)
app.command("sweep")(sweep_command.command)
app.command("evaluate")(evaluate_command.command)
app.command("separate")(separate_command.command)
app.command("serve")(serve_command.command)
app.command("export")(export_command.command)
app.command("embed")(embed_command.command)
app.command("retrieve")(retrieve_command.command)
app.command("quickstart")(quickstart_command.command)
app.command("doctor")(doctor_command.command)
app.command("download-audioset")(download_audioset_command.command)
app.add_typer(adapters_command.app, name="adapters")
app.add_typer(domains_command.app, name="domains")
app.add_typer(prepare_command.app, name="prepare")
app.add_typer(results_command.app, name="results")
app.add_typer(weights_command.app, name="weights")
