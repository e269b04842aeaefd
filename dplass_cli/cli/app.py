"""The ``dplass`` command: its verbs, and how it begins. A verb's options are imported when they are needed."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dplass_cli import __version__
from dplass_cli.errors import one_line, similar

_SUMMARIES = {
    "prepare-audioset": "Build the training manifest from AudioSet's lists; rejects.csv lists the clips that are not"
    " used, and why.",
    "partition": "Cluster a manifest's captions into domains of sound.",
    "train": "Train one adapter for each domain of a partition.",
    "sweep": "Search training settings by validation SDRi, and repeat a training with several seeds.",
    "evaluate": "Measure the base and every adapter, and compare the policies that select an adapter.",
    "separate": "Separate the sounds that sentences describe from recordings.",
    "tag": "Say which sounds recordings contain, and when, by the encoder's embeddings of overlapping windows.",
    "serve": "Serve a page that separates recordings: drop or record, describe, listen, download. Ctrl-C ends it.",
    "export": "Write a base with one adapter merged into it as a graph from waveform to waveform.",
    "models": "List the models that --model can name: figures, size, licence, and whether they are there.",
    "sounds": "List the sounds that the encoder knows, by the domain that serves them.",
    "embed": "Embed a manifest's clips; existing embeddings are kept. Under torchrun, each process embeds a share.",
    "retrieve": "Find the sounds of a manifest that are nearest to a sentence.",
    "quickstart": "Prepare, partition, train, evaluate and separate built-in sounds: a few minutes, offline, on any"
    " machine.",
    "doctor": "Check versions, device, disk, models, hashes, data and benchmark; exit code 1 if something is wrong.",
    "download-audioset": "Fetch the audio of AudioSet's segments, cut to them. Needs the extra: pip install"
    " 'dplass[download]'.",
    "launch": "Run a verb as several tasks: on this machine, a SLURM cluster or a Ray cluster.",
    "adapters": "Inspect adapters, and convert them.",
    "domains": "Assign sentences to a partition's domains, and compare two partitions.",
    "prepare": "Training manifests from other corpora, and from several manifests.",
    "results": "Compare evaluations; tabulate those of a folder; distances of sounds.",
    "weights": "Published weights and lists: where they come from, and fetching them.",
}
"""{verb: the line about it in the help}, in the order of the help. The first line of its own help is the same."""

_LOOK: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "markdown",  # in rich's own markup "[default: …]" would be a tag, and vanish
}

# The parser's errors, of click or of typer's own copy of it, which has no public name.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


@cache
def _verb(name: str) -> Any:
    """Build a verb's command, or group of commands, from its module."""
    from dplass_cli.cli.commands import add_command

    module = import_module(f"dplass_cli.cli.{name.replace('-', '_')}_command")
    suite = typer.Typer(**_LOOK)
    if hasattr(module, "app"):
        suite.add_typer(module.app, name=name, help=_SUMMARIES[name])
    else:
        more = {key: getattr(module, key) for key in ("adopt", "interrupted", "instead") if hasattr(module, key)}
        add_command(suite, name, module.command, **more)
    return typer.main.get_group(suite).commands[name]


class _Verbs(Mapping[str, Any]):
    """{verb: its command}. Importing the options of all verbs takes longer than showing the help."""

    def __getitem__(self, name: str) -> Any:
        if name not in _SUMMARIES:
            raise KeyError(name)
        return _verb(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_SUMMARIES)

    def __len__(self) -> int:
        return len(_SUMMARIES)


class _Suite(TyperGroup):
    """The verbs. What the parser refuses is one line, like every other error."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.commands: Any = _Verbs()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        listed = copy.copy(self)
        listed.commands = {name: TyperCommand(name, help=summary) for name, summary in _SUMMARIES.items()}
        super(_Suite, listed).format_help(ctx, formatter)

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
        if meant := _ELSEWHERE.get(found[1]):
            return f"{found[1]}: no such command; did you mean {meant}?"
        return f"{found[1]}: no such command{similar(found[1], getattr(command, 'commands', ()))}"
    if found := _EXTRA.match(message):
        return f"{found[1]}: unexpected extra argument"
    if found := _BAD_VALUE.match(message):  # "Input should be a valid integer, unable to parse …"
        return f"{found[1]}: {found[2].replace('Input should', 'must').partition(',')[0]}"
    return str(message)


_ELSEWHERE = {
    "version": "'dplass --version'",
    "help": "'dplass --help'",
    "list": "'dplass sounds', 'dplass models' or 'dplass weights list'",
    "fetch": "'dplass weights fetch'",
    "download": "'dplass weights fetch' or 'dplass download-audioset'",
    "remove": "'dplass separate RECORDING --remove wind'",
}
"""{what people type: the command that does it}."""

# The parser's messages that its errors do not describe in attributes.
_NO_VERB = re.compile(r"No such command '(.*?)'")
_EXTRA = re.compile(r"Got unexpected extra argument.* \((.*)\)$")
_BAD_VALUE = re.compile(r"Invalid value for '(.*?)': (.*)")


app = typer.Typer(
    name="dplass",
    cls=_Suite,
    invoke_without_command=True,  # to suggest the next step
    **_LOOK,
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
