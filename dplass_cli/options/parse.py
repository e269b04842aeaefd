"""Building options from their defaults, a YAML file, ``key.path=value`` settings and flags.

Every option is a field of a frozen dataclass. An unknown key or an ill-typed value is an error that names the key,
where it was given and the most similar known key.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from dplass_cli.errors import InputError, InvalidValue, check_choice, given, nearest
from dplass_cli.options.declaration import field_types, option_fields, sections_of
from dplass_cli.storage import read_text

T = TypeVar("T")


def build_options(
    options: type[T],
    config: Path | str | None = None,
    settings: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    adopt: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
) -> T:
    """Build an options object; later sources win: defaults, ``config``, ``settings``, ``flags``.

    Args:
        options: a frozen dataclass; fields may be dataclasses themselves.
        config: a YAML file of (nested) fields.
        settings: texts ``key.path=value``; the value is read as YAML.
        flags: {key.path: value}; None and empty lists mean "not given".
        adopt: renames the keys of another program's configuration.

    Raises:
        InputError: an unknown key, an ill-typed value, or a required option without a value.
    """
    tree: dict[str, Any] = {}
    source = "" if config is None else str(config)
    if config is not None:
        config = _path(config, _Place("--config"))
        tree = adopt(read_yaml(config))
        _check(options, tree, _Place(source))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {setting!r}: expected key.path=value")
        key, value = key.strip(), parse_yaml(text, f"--set {setting}")
        _check_value(_kind(options, key, f"--set {setting}: "), value, _Place("--set", key))
        branch: dict[str, Any] = {}
        put(branch, key, value)
        tree = _merge(tree, branch)
    for key, value in (flags or {}).items():
        if value is not None and value != [] and value != ():
            # Converted here already, so that an error names the flag.
            _check_value(_kind(options, key), value, _Place("", _spelling(options, key)))
            branch = {}
            put(branch, key, value)
            tree = _merge(tree, branch)
    for field in _required(options):
        if field.name not in tree:
            raise InputError(f"{_spelling(options, field.name)} is not given; --help shows an example")
    try:
        return _build(options, tree, _Place(source))
    except InvalidValue as error:
        place = _Place(source, error.key)
        if (flags or {}).get(error.key) is not None:
            place = _Place("", _spelling(options, error.key))
        elif any(setting.partition("=")[0].strip() == error.key for setting in settings):
            place = _Place("--set", error.key)
        raise InvalidValue(str(place), error.value, error.expected) from error


class _Place(NamedTuple):
    """Where an option is given; an error message begins with it.

    Attributes:
        source: the file or the flag that contains it; empty: the key says it all.
        key: ``section.option``; empty: the whole source.
    """

    source: str
    key: str = ""

    def __str__(self) -> str:
        return (" " if self.source == "--set" else ": ").join(filter(None, self))

    def inside(self, name: str) -> _Place:
        """The place of an option of this section."""
        return self._replace(key=self.prefix + name)

    @property
    def prefix(self) -> str:
        """What precedes the names of this section's options: ``section.``."""
        return f"{self.key}." if self.key else ""

    def says(self, text: str) -> InputError:
        """The error that something is wrong with this section."""
        return InputError(f"{self.source}: {text}" if self.source else text)


def from_mapping(options: type[T], tree: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from a nested mapping, strictly.

    Raises:
        InputError: an unknown key, an ill-typed value or a missing required field; the message begins with ``where``.
    """
    try:
        return _build(options, tree, _Place(where))
    except InvalidValue as error:
        raise _Place(where).says(str(error)) from error


def _build(options: type[T], tree: Mapping[str, Any], place: _Place) -> T:
    """Build a dataclass like :func:`from_mapping`.

    Raises:
        InvalidValue: a value that its own checks refuse; the key is complete.
        InputError: as :func:`from_mapping`.
    """
    assert dataclasses.is_dataclass(options)
    fields = field_types(options)
    unknown = [str(key) for key in tree if key not in fields]
    if unknown:
        hint = nearest(unknown[0], fields, place.prefix)
        raise place.says(f"unknown option {place.prefix + unknown[0]!r}{hint}")
    values = {key: _convert(fields[key], value, place.inside(key)) for key, value in tree.items()}
    missing = [field.name for field in _required(options) if field.name not in values]
    if missing:
        raise place.says(f"{place.prefix + missing[0]!r} is missing")
    try:
        return options(**values)
    except InvalidValue as error:
        raise InvalidValue(place.prefix + error.key, error.value, error.expected) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{place}: {error}" if any(place) else str(error)) from error


def to_mapping(value: Any) -> Any:
    """Turn a nested dataclass into plain mappings, lists, texts and numbers: the inverse of :func:`from_mapping`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_mapping(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_mapping(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_mapping(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _required(options: Any) -> list[dataclasses.Field[Any]]:
    """The fields without a default."""
    absent = dataclasses.MISSING
    return [f for f in dataclasses.fields(options) if f.default is absent and f.default_factory is absent]


def _spelling(options: Any, key: str) -> str:
    """What the command line calls an option."""
    spellings = (field.spelling for field in option_fields(options) if field.key == key)
    return next(spellings, "--" + key.rpartition(".")[2].replace("_", "-"))


def _kind(options: Any, path: str, where: str = "") -> Any:
    """The annotated type of ``key.path``.

    Raises:
        InputError: there is no such key.
    """
    inside, prefix, parts = options, "", path.split(".")
    for number, name in enumerate(parts):
        sections = sections_of(inside)
        if not sections:
            raise InputError(f"{where}{path}: {prefix.rstrip('.')} has no options inside; leave out the rest")
        kinds = [field_types(section)[name] for section in sections if name in field_types(section)]
        if not kinds and number < len(parts) - 1:  # a section is meant
            known = (key for key, kind in field_types(sections[0]).items() if sections_of(kind))
            hint = nearest(name, known, prefix) or f"; this verb has no section {name!r}"
            raise InputError(f"{where}unknown option {path!r}{hint}")
        if not kinds:
            raise InputError(f"{where}unknown option {path!r}{_meant(sections[0], prefix, name)}")
        inside, prefix = functools.reduce(operator.or_, kinds), f"{prefix}{name}."
    return inside


def _check(options: Any, tree: Mapping[str, Any], place: _Place) -> None:
    """Check the keys and values of a partial tree, so that an error names the source that contains it."""
    fields = field_types(options)
    for key, value in tree.items():
        if key not in fields:
            path = place.prefix + str(key)
            raise place.says(f"unknown option {path!r}{_meant(options, place.prefix, str(key))}")
        _check_value(fields[key], value, place.inside(key))


def _check_value(kind: Any, value: Any, place: _Place) -> None:
    """Check a value of an option, or what is given of a section."""
    if sections_of(kind) and isinstance(value, Mapping):
        _check(_section_named(kind, value, place), value, place)
    else:
        _convert(kind, value, place)


def _section_named(kind: Any, tree: Mapping[str, Any], place: _Place) -> Any:
    """The section that a tree belongs to; of several, the one that its ``name`` says (:func:`sections_of`)."""
    sections = sections_of(kind)
    if len(sections) == 1:
        return sections[0]
    names = {section.name: section for section in sections}
    name = tree.get("name", sections[0].name)
    check_choice(str(place.inside("name")), name, names)
    return names[name]


def _meant(options: Any, prefix: str, key: str) -> str:
    """A hint at what an unknown key should be: one of that name or these initials, else the most similar."""
    for meant in (lambda name: name == key, lambda name: "".join(part[:1] for part in name.split("_")) == key):
        for path in _paths(options):
            if meant(path.rpartition(".")[2]):
                return f"; did you mean {prefix + path!r}?"
    return nearest(key, field_types(options), prefix)


def _paths(options: Any) -> Iterator[str]:
    """Every ``key.path`` of the options, outer sections first."""
    sections = []
    for name, kind in field_types(options).items():
        yield name
        sections += [(name, inside) for inside in sections_of(kind)]
    for name, kind in sections:
        yield from (f"{name}.{path}" for path in _paths(kind))


def _convert(kind: Any, value: Any, place: _Place) -> Any:
    """Convert a YAML value to an annotated type, or raise an InputError that begins with the place."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        if dataclasses.is_dataclass(value):
            return value
        if isinstance(value, Mapping):
            return _build(kind, value, place)  # type: ignore[arg-type]
    elif origin in (typing.Union, types.UnionType):
        return _convert_to_one(arguments, value, place)
    elif origin is typing.Literal:
        check_choice(str(place), value, arguments)
        return value
    elif origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if isinstance(value, str) and arguments[0] is int:
            items = [int(item) if item.strip().isdecimal() else item for item in items]
        if isinstance(items, (list, tuple)):
            if arguments[-1] is Ellipsis:
                return tuple(_convert(arguments[0], item, place) for item in items)
            if len(items) == len(arguments):
                return tuple(_convert(a, item, place) for a, item in zip(arguments, items, strict=True))
    elif origin is dict:
        if isinstance(value, Mapping):
            return {str(key): _convert(arguments[1], item, place.inside(str(key))) for key, item in value.items()}
    elif kind is bool:
        if isinstance(value, bool):
            return value
    elif kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _float(value, place)
        if isinstance(value, str):  # YAML 1.1 reads 1e-4 as a text
            try:
                number = float(value)
            except ValueError:
                pass
            else:
                return _float(number, place)
    elif kind is str:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    elif kind is Path:
        if isinstance(value, (str, Path)):
            return _path(value, place)
    else:
        assert kind is Any, f"options of type {kind} are not supported"
        return value
    raise InputError(f"{given(str(place), value)}: must be {_spell(kind)}")


def _convert_to_one(kinds: Sequence[Any], value: Any, place: _Place) -> Any:
    """Convert a value to the one of several types that fits; at most one of them may be a mapping."""
    if value is None and type(None) in kinds:
        return None
    members = [kind for kind in kinds if kind is not type(None)]
    if isinstance(value, Mapping) and any(map(sections_of, members)):
        return _convert(_section_named(functools.reduce(operator.or_, members), value, place), value, place)
    sections = [member for member in members if typing.get_origin(member) is dict]
    words = [member for member in members if typing.get_origin(member) is typing.Literal]
    if any(value in typing.get_args(member) for member in words):
        return value  # a word instead of a value, such as 'auto' for a number
    if words == members:
        check_choice(str(place), value, [word for member in words for word in typing.get_args(member)])
    others = [member for member in members if member not in sections + words]
    chosen = sections if sections and isinstance(value, Mapping) else others or words
    return _convert(chosen[0], value, place)


def _float(value: float, place: _Place) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise InputError(f"{given(str(place), value)}: must be a number of at most 308 digits") from error
    if not math.isfinite(number):
        raise InputError(f"{given(str(place), number)}: must be a finite number")
    return number


def _path(value: str | Path, place: _Place) -> Path:
    """A path, which must not be empty: ``Path("")`` is the working folder, and an unset variable of a shell is empty.

    Raises:
        InputError: it is empty, or contains a null character.
    """
    if value == "":
        raise InputError(f"{given(str(place), value)}: the path is empty; write . for the working folder")
    if "\0" in str(value):
        raise InputError(f"{given(str(place), value)}: a path cannot contain a null character; remove it")
    return Path(value)


def _spell(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    if kind in names:
        return names[kind]
    if typing.get_origin(kind) is tuple:
        return f"a list of {len(typing.get_args(kind))} values" if typing.get_args(kind)[-1] is not ... else "a list"
    return "a section of options"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of options.

    Raises:
        InputError: it cannot be read, is not YAML, or does not contain options.
    """
    content = parse_yaml(read_text(path), str(path))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected options as 'key: value' lines")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """Read a YAML text: plain values, lists and mappings.

    Raises:
        InputError: it is not YAML, or its aliases expand to too many values; the message begins with ``where``.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > _MOST_VALUES:
            raise InputError(f"{where}: its aliases (*name) expand to more than {_MOST_VALUES:,} values; use fewer")
        return loader.construct_document(node)
    except InputError:
        raise
    except Exception as error:  # besides its own errors, the library passes on those of converting a value
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise InputError(f"{where}: not valid YAML{place}; check indentation and quotes") from error


_MOST_VALUES = 1_000_000


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values a node contains with its aliases expanded; infinite if one contains itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is counted: an alias to itself meets this value
        inside = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_values(part, known) for part in inside)
    return known[id(node)]


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set ``key.path`` of a tree.

    Raises:
        InputError: a section of the path has a plain value.
    """
    *folders, leaf = path.split(".")
    for folder in folders:
        tree = tree.setdefault(folder, {})
        if not isinstance(tree, dict):
            raise InputError(f"{path}: {folder} is a section of options, but was given a value")
    tree[leaf] = value


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
