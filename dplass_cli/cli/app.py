"""The ``dplass`` command: its verbs, and how it begins. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import re
import sys
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
    models_command,
    partition_command,
    prepare_audioset_command,
    prepare_command,
    quickstart_command,
    results_command,
    retrieve_command,
    separate_command,
    serve_command,
    sounds_command,
    sweep_command,
    train_command,
    weights_command,
)
from dplass_cli.cli.commands import add_command
from dplass_cli.errors import one_line, similar
from dplass_cli.training.audiosep_config import adopt

# The parser's errors, of click or of typer's own copy of it, which has no public name.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


class _Suite(TyperGroup):
    """The verbs. What the parser refuses is one line, like every other error."""

    def main(self, *args: Any, **named: Any) -> Any:
        standalone, named["standalone_mode"] = named.get("standalone_mode", True), False
        if not standalone:
            return super().main(*args, **named)
        try:
            code = super().main(*args, **named)
        except _UsageError as error:
            if type(error).__name__ != "NoArgsIsHelpError":  # then the help has been shown
                verb = f"{error.ctx.command_path} " if error.ctx else ""
                message = one_line(_usage_message(error))
                hint = "" if message.endswith("?") else f"; {verb}--help shows an example"
                typer.echo(f"dplass: {message}{hint}", err=True)
            code = error.exit_code
        sys.exit(code)


def _usage_message(error: Any) -> str:
    """What the parser refuses, with the flag or the word first, as in every other error."""
    message = error.format_message().rstrip(".")
    command = error.ctx.command if error.ctx else None
    if hasattr(error, "possibilities"):
        flags = [flag for parameter in command.params for flag in parameter.opts] if command else []
        words = [flag.removeprefix("--") for flag in flags if flag.startswith("--")]
        return f"{error.option_name}: no such option{similar(error.option_name.lstrip('-'), words, '--')}"
    if hasattr(error, "option_name"):  # "Option '--data' requires an argument"
        return f"{error.option_name}: {message.removeprefix(f'Option {error.option_name!r} ')}"
    if found := _NO_VERB.match(message):
        return f"{found[1]}: no such command{similar(found[1], getattr(command, 'commands', ()))}"
    if found := _EXTRA.match(message):
        return f"{found[1]}: unexpected extra argument"
    if found := _BAD_VALUE.match(message):  # "Input should be a valid integer, unable to parse …"
        return f"{found[1]}: {found[2].replace('Input should', 'must').partition(',')[0]}"
    return str(message)


# The parser's messages that its errors do not describe in attributes.
_NO_VERB = re.compile(r"No such command '(.*?)'")
_EXTRA = re.compile(r"Got unexpected extra argument.* \((.*)\)$")
_BAD_VALUE = re.compile(r"Invalid value for '(.*?)': (.*)")


app = typer.Typer(
    name="dplass",
    cls=_Suite,
    invoke_without_command=True,  # to suggest the next step
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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Separate sounds by description; train, select and evaluate adapters for it."""
    if context.invoked_subcommand is None:
        from dplass_cli.cli.next_step import next_step

        step = next_step()
        typer.echo(f"Here: {step.found}.\nNext: {step.advice}.\n")
        typer.echo("".join(f"    {command}\n" for command in step.commands))
        typer.echo("All verbs: dplass --help")


add_command(app, "prepare-audioset", prepare_audioset_command.command)
add_command(app, "partition", partition_command.command)
add_command(app, "train", train_command.command, adopt=adopt)
add_command(app, "sweep", sweep_command.command)
add_command(app, "evaluate", evaluate_command.command)
add_command(app, "separate", separate_command.command)
add_command(app, "serve", serve_command.command)
add_command(app, "export", export_command.command)
add_command(app, "models", models_command.command)
add_command(app, "sounds", sounds_command.command)
add_command(app, "embed", embed_command.command)
add_command(app, "retrieve", retrieve_command.command)
add_command(app, "quickstart", quickstart_command.command)
add_command(app, "doctor", doctor_command.command)
add_command(app, "download-audioset", download_audioset_command.command)
app.add_typer(adapters_command.app, name="adapters")
app.add_typer(domains_command.app, name="domains")
app.add_typer(prepare_command.app, name="prepare")
app.add_typer(results_command.app, name="results")
app.add_typer(weights_command.app, name="weights")
