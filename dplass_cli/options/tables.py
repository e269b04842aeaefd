"""Options in words: their defaults and types, and the tables of ``docs/options.md``."""

from __future__ import annotations

import types
import typing
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal

from dplass_cli.options.declaration import OptionField, option_fields

_TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path", Any: "any"}


def default_text(field: OptionField) -> str:
    """The default of an option as help and docs show it; empty where there is none to show."""
    if field.declared.shown:
        return field.declared.shown
    value = field.value
    if isinstance(value, bool) and not field.on_command_line:
        return str(value).lower()
    if field.required or value is None or value is False or value in ("", (), {}) or is_dataclass(value):
        return ""
    return _text(value)


def _text(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(f"({_text(each)})" if isinstance(each, tuple) else _text(each) for each in value)
    return str(value)


def type_text(kind: Any) -> str:
    """An annotated type in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {type_text(arguments[0])}" if arguments[-1] is Ellipsis else f"{len(arguments)} values"
    if origin is dict:
        return "mapping"
    if origin is typing.Union or isinstance(kind, types.UnionType):
        return " or ".join(dict.fromkeys(type_text(each) for each in arguments if each is not type(None)))
    return _TYPES.get(kind, "section")


def options_table(options: type) -> str:
    """The options of a dataclass as a Markdown table: option, type, default, meaning."""
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for field in option_fields(options):
        kind = "flag" if field.kind is bool and field.on_command_line else type_text(field.kind)
        default = "required" if field.required else default_text(field)
        cells = (_spellings(field), kind, default, field.declared.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _spellings(field: OptionField) -> str:
    """The flags of an option, with its key where that is not the flag's name."""
    if not field.on_command_line:
        return f"`{field.key}`"
    flags = (field.declared.metavar,) if field.declared.metavar else field.flags
    shown = " ".join(f"`{flag}`" for flag in flags)
    name = flags[0].partition("/")[0].lstrip("-").replace("-", "_").lower()
    return shown if name == field.key else f"{shown} (`{field.key}`)"
