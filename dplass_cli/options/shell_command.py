"""The command that stands for an options object, for reports."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from dplass_cli.options.declaration import OptionField, Options, option_fields, sections_of


def shell_command(verb: str, options: Options) -> str:
    """The command with the same effect, quoted for a shell: positional arguments, then what is not the default."""
    arguments: list[str] = []
    flags: list[str] = []
    declared: Any = type(options)
    for field in option_fields(declared):
        value = attrgetter(field.key)(options)
        if sections_of(field.kind) or (field.required and not field.on_command_line):
            continue  # the options inside a section follow it; the verb itself says what has no spelling
        if field.declared.metavar:
            arguments += _texts(value)
        elif value not in (None, field.value):
            flags += _flags(field, value)
    return shlex.join(["dplass", *verb.split(), *arguments, *flags])


def _flags(field: OptionField, value: Any) -> Iterator[str]:
    if not field.on_command_line:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        yield from ("--set", f"{field.key}={text}")
    elif isinstance(value, bool):
        on, _, off = field.flags[0].partition("/")
        yield on if value else off
    elif field.declared.split:
        yield from (field.flags[0], ",".join(_texts(value)))
    else:
        for text in _texts(value):
            yield from (field.flags[0], text)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [f"{key}={inner}" for key, inner in value.items()]
    return [str(each) for each in value] if isinstance(value, (tuple, list)) else [str(value)]
