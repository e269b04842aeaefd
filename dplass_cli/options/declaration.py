"""How an option is declared: once, at the field of a dataclass.

The command line, ``--set``, YAML files, the tables in ``docs/options.md`` and the check of resumed runs are made from
these declarations, so an option's type, default and explanation stand where its field is, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass
from typing import Any, Literal, TypeVar

from dplass_cli.errors import InvalidValue

T = TypeVar("T")

Resume = Literal["fixed", "longer", "free"]
"""What a resumed run may change: nothing, how long it runs, or how it runs (which does not affect its figures)."""


@dataclass(frozen=True)
class Declaration:
    """What the declaration of an option says, in addition to its name, type and default.

    Attributes:
        help: what it is for.
        flags: its spellings on the command line; empty: it is set by ``--set`` and YAML files only.
        hidden: spellings that are understood and not shown.
        metavar: the name of a positional argument; empty for options.
        default: the default as help and docs show it; empty: the field's own.
        split: several values are one text, separated by commas; otherwise the flag is repeated.
        panel: the group of the help page; empty: the first.
        resume: whether a resumed run may change it.
        inner: the options inside a section have their flags, too.
    """

    help: str
    flags: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    metavar: str = ""
    default: str = ""
    split: bool = False
    panel: str = ""
    resume: Resume = "fixed"
    inner: bool = False


@dataclass(frozen=True)
class OptionField:
    """An option of a verb, or a section of options.

    Attributes:
        key: its name; inside sections ``section.name``.
        kind: its annotated type.
        value: its default; ``dataclasses.MISSING`` where it is required.
        declared: its declaration.
        on_command_line: it has a flag, or is a positional argument.
    """

    key: str
    kind: Any
    value: Any
    declared: Declaration
    on_command_line: bool

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.value is MISSING

    @property
    def spelling(self) -> str:
        """What error messages call it."""
        declared = self.declared
        if not self.on_command_line:
            return self.key
        return declared.metavar or declared.flags[0].partition("/")[0]


def option(
    *flags: str,
    help: str,
    default: T = MISSING,  # type: ignore[assignment]
    factory: Callable[[], T] | None = None,
    shown: str = "",
    hidden: tuple[str, ...] = (),
    split: bool = False,
    panel: str = "",
    resume: Resume = "fixed",
) -> T:
    """Declare an option; see :class:`Declaration`. Without ``default`` and ``factory`` it is required."""
    field: T = _field(Declaration(help, flags, hidden, "", shown, split, panel, resume), default, factory)
    return field


def argument(metavar: str, *, help: str, default: T = MISSING, shown: str = "") -> T:  # type: ignore[assignment]
    """Declare a positional argument; see :class:`Declaration`. Without ``default`` it is required."""
    field: T = _field(Declaration(help, metavar=metavar, default=shown), default, None)
    return field


def section(kind: Callable[[], T], *, help: str, flags: bool = False) -> T:
    """Declare options inside an option: a dataclass of options whose fields all have defaults.

    Args:
        kind: the dataclass.
        help: what its options are about.
        flags: the flags of its options are flags of the verb.
    """
    field: T = _field(Declaration(help, inner=flags), MISSING, kind)
    return field


def _field(declared: Declaration, default: Any, factory: Callable[[], Any] | None) -> Any:
    metadata = {"declared": declared}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def option_fields(options: type) -> tuple[OptionField, ...]:
    """The declared options of a verb: its own first, then those it inherits; a section is followed by its options."""
    return tuple(_walk(options, "", True))


def _walk(options: Any, path: str, flags: bool) -> Iterator[OptionField]:
    kinds = field_types(options)
    for field in _own_first(options):
        declared = field.metadata.get("declared")
        if declared is None:
            continue
        kind, value = kinds[field.name], field.default
        if field.default_factory is not MISSING:
            value = field.default_factory()
        shown = flags and bool(declared.flags or declared.metavar)
        yield OptionField(path + field.name, kind, value, declared, shown)
        inside = section_of(kind)
        if inside is not None:
            yield from _walk(inside, f"{path}{field.name}.", flags and declared.inner)


def _own_first(options: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a dataclass: those that the class itself declares, then those of its bases."""
    fields = {field.name: field for field in dataclasses.fields(options)}
    names = dict.fromkeys(name for each in options.__mro__ for name in vars(each).get("__annotations__", {}))
    return [fields[name] for name in names if name in fields]


def section_of(kind: Any) -> Any:
    """The dataclass of a type that is a section of options, or a section or None; None for other types."""
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    return next((each for each in members if dataclasses.is_dataclass(each)), None)


@functools.cache
def field_types(options: Any) -> dict[str, Any]:
    """{field: annotated type} of a dataclass."""
    hints = typing.get_type_hints(options)
    return {field.name: hints[field.name] for field in dataclasses.fields(options)}


def check_field(options: Any, name: str, valid: bool, expected: str) -> None:
    """Check a value of a dataclass of options.

    Args:
        options: the dataclass.
        name: the field.
        valid: whether its value is allowed.
        expected: what it must be, such as ``at least 1``.

    Raises:
        InvalidValue: it is not.
    """
    if not valid:
        raise InvalidValue(name, getattr(options, name), expected)


def resume_rules(options: Any) -> dict[str, Resume]:
    """{key.path: what a resumed run may change} of a run's options; a mapping, such as weights of losses, is one."""
    rules: dict[str, Resume] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            rules |= {f"{field.name}.{key}": rule for key, rule in resume_rules(value).items()}
        else:
            declared = field.metadata.get("declared")
            rules[field.name] = "fixed" if declared is None else declared.resume
    return rules
