"""Commands made from declared options: a dataclass of options and a function that takes them make a Typer command."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand

from dplass_cli.cli.console import FILES_ARE_COMPLETE, VerbRun, verb_run
from dplass_cli.errors import InputError
from dplass_cli.options.common_options import CommonOptions
from dplass_cli.options.declaration import OptionField, option_fields
from dplass_cli.options.parse import build_options
from dplass_cli.options.tables import default_text

_FILES = "--dora_checkpoints"
"""The published scripts give all files after this flag once; here it is repeated, as ``--adapters`` is."""


def add_command(
    group: typer.Typer,
    name: str,
    body: Callable[[Any, VerbRun], None],
    *,
    given: Mapping[str, Any] | None = None,
    help: str | None = None,
    adopt: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
    interrupted: str = FILES_ARE_COMPLETE,
    instead: Mapping[str, Callable[[Any, VerbRun], None]] = MappingProxyType({}),
    verbatim: bool = False,
) -> None:
    """Add a command whose flags are declared options.

    Args:
        group: the group that it is added to.
        name: the command's name.
        body: runs it with its options, whose class is the annotation of the parameter ``options``. Its docstring is
            the help, unless ``help`` is given.
        given: {option: value} that the command sets itself.
        help: the help.
        adopt: as :func:`~dplass_cli.options.parse.build_options`.
        interrupted: what is kept when the verb is interrupted, and how to go on.
        instead: {flag: the body of another verb, which runs in its place with the options that both have}.
        verbatim: everything after the first argument is an argument, even if it looks like a flag.
    """
    options = typing.get_type_hints(body)["options"]
    fields = [field for field in option_fields(options) if field.on_command_line]
    taken = {flag for field in fields for flag in field.flags}
    common = [field for field in option_fields(CommonOptions) if taken.isdisjoint(field.flags)]

    def read(values: Mapping[str, Any]) -> tuple[Callable[[Any, VerbRun], None], Any]:
        shared = {field.key: values[_parameter_name(field, "common_")] for field in common}
        flags = {field.key: _flag_value(field, values[_parameter_name(field)]) for field in fields}
        flags, settings = {**flags, **(given or {})}, shared.get("set") or ()
        for flag, other in instead.items():
            if flags[flag]:
                kind = typing.get_type_hints(other)["options"]
                own = {field.key: flags[field.key] for field in option_fields(kind) if field.key in flags}
                return other, build_options(kind, shared.get("config"), settings, own)
        return body, build_options(options, shared.get("config"), settings, flags, adopt)

    def command(**values: Any) -> None:
        with verb_run(values["common_json"], values["common_verbose"], interrupted) as run:
            verb, its_options = read(values)
            verb(its_options, run)

    parameters = [_parameter(field) for field in fields] + [_parameter(field, "common_") for field in common]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {}
    aliases = {alias: field.flags[0] for field in (*fields, *common) for alias in field.declared.hidden}
    own = {"options": options, "aliases": aliases, "verbatim": verbatim, "read": staticmethod(read)}
    kind = type("VerbCommand", (VerbCommand,), own)
    settings = {"allow_interspersed_args": not verbatim}
    group.command(name, cls=kind, help=help or inspect.getdoc(body), context_settings=settings)(command)


class VerbCommand(TyperCommand):
    """A command that also understands the hidden spellings of its flags, and underscores for hyphens.

    Class attributes:
        options: the dataclass of its options.
        read: makes the values that the parser found into options: (what runs with them, the options).
        aliases: {hidden spelling: flag}.
        verbatim: words after the first argument are no flags of this command.
    """

    options: ClassVar[type]
    read: Callable[[Mapping[str, Any]], tuple[Callable[[Any, VerbRun], None], Any]]
    verbatim: ClassVar[bool] = False
    aliases: ClassVar[dict[str, str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.verbatim:
            return super().parse_args(ctx, args)
        known = {flag for parameter in self.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        end = args.index("--") if "--" in args else len(args)  # what follows are positional arguments
        options = [self._shown_spelling(word, known) for word in _one_file_per_flag(args[:end])]
        return super().parse_args(ctx, [*options, *args[end:]])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line. To the parser no argument is required: the options check that it is given."""
        required = [field.declared.metavar for field in option_fields(self.options) if field.required]
        shown = {f"[{name}]{more}": name + more for name in required for more in ("", "...")}
        return [shown.get(piece, piece) for piece in super().collect_usage_pieces(ctx)]

    def _shown_spelling(self, word: str, known: set[str]) -> str:
        flag, equals, value = word.partition("=")
        flag = self.aliases.get(flag, flag)
        with_hyphens = flag.replace("_", "-")
        return (with_hyphens if with_hyphens in known else flag) + equals + value


def _one_file_per_flag(words: list[str]) -> list[str]:
    """Repeat ``--dora_checkpoints`` before each of the files that follow it."""
    repeated: list[str] = []
    listing = False
    for word in words:
        listing = word == _FILES or (listing and not word.startswith("-"))
        if word != _FILES:
            repeated += [_FILES, word] if listing else [word]
    return repeated


def _parameter_name(field: OptionField, prefix: str = "") -> str:
    return prefix + field.key.replace(".", "_")


def _parameter(field: OptionField, prefix: str = "") -> inspect.Parameter:
    """A parameter of the command: None, or an empty list, means that the flag is not given."""
    declared, kind = field.declared, _flag_type(field)
    help_text = declared.help
    if default := default_text(field):
        help_text += f"  [default: {default}]"
    elif field.required:
        help_text += "  [required]"
    info: Any
    paths: Any = {"path_type": str} if _is_path(field) else {}  # shells complete file names
    if declared.metavar:
        info = typer.Argument(metavar=declared.metavar, help=help_text, show_default=False, **paths)
    else:
        if paths:
            paths["metavar"] = "<path>" if kind is str else "<list[path]>"
        panel = declared.panel or None
        info = typer.Option(*field.flags, help=help_text, show_default=False, rich_help_panel=panel, **paths)
    return inspect.Parameter(
        _parameter_name(field, prefix),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, info],
    )


def _flag_type(field: OptionField) -> Any:
    """The type that the parser of the command line gives a flag's value; the options check the rest.

    A path stays a text, because ``Path("")`` would be the working folder.
    """
    if _is_path(field):
        return list[str] if typing.get_origin(field.kind) is tuple else str
    kind = _without_none(field.kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return list[str]  # NAME=VALUE
    if origin is tuple and not field.declared.split:
        return list[str] if typing.get_origin(arguments[0]) is Literal else list[arguments[0]]  # type: ignore[valid-type]
    return str if origin is not None or isinstance(kind, types.UnionType) else kind


def _is_path(field: OptionField) -> bool:
    kind = _without_none(field.kind)
    return kind is Path or (typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is Path)


def _without_none(kind: Any) -> Any:
    members = [each for each in typing.get_args(kind) if each is not type(None)]
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return members[0] if is_union and len(members) == 1 else kind


def _flag_value(field: OptionField, value: Any) -> Any:
    """The value of a flag as the options take it.

    Raises:
        InputError: a text that should be NAME=VALUE is not.
    """
    kind = _without_none(field.kind)
    if typing.get_origin(kind) is dict:
        return _pairs(field.spelling, value) if value else None
    if (
        typing.get_origin(kind) is not tuple
        and int in typing.get_args(kind)
        and isinstance(value, str)
        and value.isdecimal()
    ):
        return int(value)  # a number or a word
    return value


def _pairs(flag: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InputError(f"{flag} {text!r}: expected NAME=VALUE")
        if flag == "--reduce" and key.strip() in pairs:
            raise InputError(f"--reduce {key.strip()}: is given twice; leave one out")
        pairs[key.strip()] = value.strip()
    return pairs
