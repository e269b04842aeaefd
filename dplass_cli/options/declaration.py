"""How an option is declared: once, at the field of a dataclass.

The command line, ``--set``, YAML files, the tables in ``docs/options.md`` and the check of resumed runs are made from
these declarations, so an option's type, default and explanation stand where its field is, and nowhere else.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass
from typing import Any, Literal, TypeVar

from dplass_cli.errors import InvalidValue, check_choice

T = TypeVar("T")

Resume = Literal["fixed", "longer", "free", "recorded"]
"""What a resumed run may change: nothing, how long it runs, or how it runs (which does not affect its figures).

``recorded``: nothing, and where the default is given it keeps its own value; one that was started before the option
existed keeps None.
"""

_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "least": ("at least", operator.ge),
    "most": ("at most", operator.le),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
}


@dataclass(frozen=True)
class Declaration:
    """What the declaration of an option says, in addition to its name, type and default.

    Attributes:
        help: what it is for.
        flag: its spelling on the command line; empty: the field's name with hyphens; None: it is set by ``--set`` and
            YAML files only.
        also: another spelling, such as ``-o``.
        hidden: spellings that are understood and not shown.
        metavar: the name of a positional argument; empty for options.
        shown: the default as help and docs show it; empty: the field's own.
        split: several values are one text, separated by commas; otherwise the flag is repeated.
        panel: the group of the help page; empty: the first.
        resume: whether a resumed run may change it.
        inner: the options inside a section have their flags, too.
        least: the smallest number allowed.
        most: the largest number allowed.
        above: a number that it must exceed.
        below: a number that it must not reach.
        named: it names a file or a policy, so an empty text is an error and not the default.
        expected: how error messages call what is allowed, such as "at least 1, or 0 for all"; empty: by the bounds.
    """

    help: str
    flag: str | None = ""
    also: str = ""
    hidden: tuple[str, ...] = ()
    metavar: str = ""
    shown: str = ""
    split: bool = False
    panel: str = ""
    resume: Resume = "fixed"
    inner: bool = False
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    named: bool = False
    expected: str = ""

    def spelling(self, name: str) -> str:
        """What the command line calls an option whose field has a ``name``: its first flag, or just the name."""
        if self.metavar or self.flag is None:
            return self.metavar or name
        return self.flag or "--" + name.replace("_", "-")

    @property
    def bounds(self) -> dict[str, float]:
        """{least, most, above or below: the bound}, of those that are declared."""
        return {key: getattr(self, key) for key in _BOUNDS if getattr(self, key) is not None}

    def allows(self, value: Any) -> bool:
        """Whether a number, or each number of a mapping, is within the bounds; values of other types always are."""
        numbers = value.values() if isinstance(value, dict) else [value]
        return all(
            _BOUNDS[key][1](number, bound)
            for number in numbers
            if isinstance(number, (int, float))
            for key, bound in self.bounds.items()
        )

    @property
    def allowed(self) -> str:
        """What is allowed, after "must be"."""
        if self.least is not None and self.most is not None:
            return self.expected or f"from {self.least} to {self.most}"
        return self.expected or " and ".join(f"{_BOUNDS[key][0]} {bound}" for key, bound in self.bounds.items())


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
    def flags(self) -> tuple[str, ...]:
        """Its spellings on the command line that help shows."""
        if not self.on_command_line or self.declared.metavar:
            return ()
        return tuple(filter(None, (self.declared.spelling(self.key.rpartition(".")[2]), self.declared.also)))

    @property
    def spelling(self) -> str:
        """What error messages call it."""
        name = self.key.rpartition(".")[2]
        return self.declared.spelling(name).partition("/")[0] if self.on_command_line else self.key


class Options:
    """Base of the dataclasses of options: checks the declared bounds, and the words of a ``Literal``.

    Raises:
        InputError: a number is out of range, or a word is unknown.
    """

    def __post_init__(self) -> None:
        options: Any = type(self)
        kinds = field_types(options)
        for name, declared in declarations(options).items():
            value = getattr(self, name)
            check_field(self, name, declared.allows(value), declared.allowed)
            empty = value == "" or (isinstance(value, tuple) and "" in value)
            check_field(self, name, not (declared.named and empty), "a name, not an empty text")
            if isinstance(value, str) and (words := _words(kinds[name])):
                check_choice(declared.spelling(name), value, words)


def _words(kind: Any) -> tuple[str, ...]:
    """The words of a ``Literal``, alone or in a union."""
    literals = (each for each in (kind, *typing.get_args(kind)) if typing.get_origin(each) is Literal)
    return tuple(word for literal in literals for word in typing.get_args(literal))


def option(default: T, help: str, flag: str = "", **details: Any) -> T:
    """Declare an option with a flag; ``details`` are further attributes of :class:`Declaration`."""
    return _field(default, Declaration(help, flag, **details))


def required(help: str, flag: str | None = "", **details: Any) -> Any:
    """Declare an option that must be given."""
    return _field(MISSING, Declaration(help, flag, **details))


def setting(default: T, help: str, **details: Any) -> T:
    """Declare an option without a flag, for ``--set`` and YAML files."""
    return _field(default, Declaration(help, None, **details))


def argument(metavar: str, help: str, default: Any = MISSING, **details: Any) -> Any:
    """Declare a positional argument; without ``default`` it is required."""
    return _field(default, Declaration(help, None, metavar=metavar, **details))


def section(kind: Callable[[], T], help: str, flags: bool = False) -> T:
    """Declare options inside an option: a dataclass of options whose fields all have defaults.

    Args:
        kind: the dataclass.
        help: what its options are about.
        flags: the flags of its options are flags of the verb.
    """
    return dataclasses.field(default_factory=kind, metadata={"declared": Declaration(help, None, inner=flags)})


def _field(default: T, declared: Declaration) -> T:
    if isinstance(default, dict):  # a dataclass refuses mutable defaults
        return dataclasses.field(default_factory=functools.partial(copy.copy, default), metadata={"declared": declared})
    return dataclasses.field(default=default, metadata={"declared": declared})


@functools.cache
def option_fields(options: type) -> tuple[OptionField, ...]:
    """The declared options of a verb: its own first, then those it inherits; a section is followed by its options."""
    return tuple(_walk(options, "", True))


def _walk(options: Any, path: str, flags: bool) -> Iterator[OptionField]:
    kinds, declared_names = field_types(options), declarations(options)
    for field in _own_first(options):
        if field.name not in declared_names:
            continue
        declared, kind, value = declared_names[field.name], kinds[field.name], field.default
        if field.default_factory is not MISSING:
            value = field.default_factory()
        shown = flags and (declared.flag is not None or bool(declared.metavar))
        yield OptionField(path + field.name, kind, value, declared, shown)
        known: set[str] = set()
        for inside in sections_of(kind):
            for each in _walk(inside, f"{path}{field.name}.", flags and declared.inner):
                if each.key not in known:
                    yield each
                known.add(each.key)


def _own_first(options: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a dataclass: those that the class itself declares, then those of its bases."""
    fields = {field.name: field for field in dataclasses.fields(options)}
    names = dict.fromkeys(name for each in options.__mro__ for name in vars(each).get("__annotations__", {}))
    return [fields[name] for name in names if name in fields]


def declarations(options: Any) -> dict[str, Declaration]:
    """{field: declaration} of the declared fields of a dataclass."""
    fields = dataclasses.fields(options)
    return {field.name: field.metadata["declared"] for field in fields if "declared" in field.metadata}


def sections_of(kind: Any) -> tuple[Any, ...]:
    """The dataclasses of a type that is a section of options, or one of several; () for other types.

    Of several, the one whose option ``name`` has the given value by default is meant; without a name, the first.
    """
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    return tuple(each for each in members if dataclasses.is_dataclass(each))


@functools.cache
def field_types(options: Any) -> dict[str, Any]:
    """{field: annotated type} of a dataclass."""
    hints = typing.get_type_hints(options)
    return {field.name: hints[field.name] for field in dataclasses.fields(options)}


def check_field(options: Any, name: str, valid: bool, expected: str) -> None:
    """Check a value of a dataclass of options, such as one that depends on another.

    Raises:
        InvalidValue: it is not ``valid``; the message says what is ``expected``, such as ``at least 1``.
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
