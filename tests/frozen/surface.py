"""What users may rely on, read from the running code: the command line's flags and the Python API's signatures.

Only public names are used, so that this stands on any version of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dplass_cli.cli import app

FROZEN = Path(__file__).parent
# The spellings of the published scripts. Which verbs take them is found by trying.
PUBLISHED = (
    *("--config_yaml", "--checkpoint_path", "--base_checkpoint", "--dora_checkpoints"),
    *("--max_epochs", "--num_gpus", "--metadata_csv", "--audio_dir"),
)
# {name: its members; none of a function}. What else these classes have is not documented.
PUBLIC_NAMES = {
    "dplass_cli.load_base": (),
    "dplass_cli.load_encoder": (),
    "dplass_cli.AdapterBank": ("__init__", "activate", "add", "fingerprint", "get", "infos", "keys", "load"),
    "dplass_cli.Separator": ("from_pretrained", "__call__", "separate_file"),
    "dplass_cli.evaluation.metrics.sdr": (),
    "dplass_cli.evaluation.metrics.si_sdr": (),
}


def read(name: str) -> Any:
    """Read a frozen file that lies next to this one."""
    return json.loads((FROZEN / name).read_text(encoding="utf-8"))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group of a group: (its words, the command); the group itself is ``""``."""
    yield " ".join(path), group
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, (*path, name))


def command_line() -> dict[str, Any]:
    """Every command's options, positional arguments and published spellings."""
    described, suite = {}, typer.main.get_command(app)
    for words, command in commands(suite):
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        described[words] = {
            "options": {_longest(option): _option(option) for option in options},
            "arguments": [{"required": one.required, "repeats": one.nargs == -1} for one in arguments],
            "published": [spelling for spelling in PUBLISHED if words and _understands(suite, words, spelling)],
        }
    return described


def _understands(suite: Any, words: str, spelling: str) -> bool:
    """Whether a command takes an option of this spelling: then the parser stumbles over the one behind it."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        suite.main([*words.split(), spelling, "1", "--no-such-thing"], prog_name="dplass")
    return "--no-such-thing" in said.getvalue()


def _longest(option: Any) -> str:
    return str(max(option.opts, key=len))


def _option(option: Any) -> dict[str, Any]:
    flag = bool(getattr(option, "is_flag", False))
    return {
        "spellings": sorted(option.opts),
        "negations": sorted(option.secondary_opts),
        "repeats": bool(option.multiple),
        "flag": flag,
        "values": 0 if flag else option.nargs,
        "required": bool(option.required),
        "default": documented_default(option),
    }


def documented_default(option: Any) -> str | None:
    """The default that the help shows, up to where it goes on in prose; None where it shows none, or only prose.

    ``[default: auto, the faster on this device]`` is ``auto``, ``[default: the base's own]`` is None: how it is said
    may change.
    """
    said = re.search(r"\[default: (.*?)\]", option.help or "", re.DOTALL)
    if said:
        text = said[1]
    elif isinstance(option.show_default, str):
        text = option.show_default
    elif option.show_default and option.default not in (None, False) and not callable(option.default):
        text = str(getattr(option.default, "value", option.default))
    else:
        return None
    value = re.split(r"[,;]", " ".join(text.strip("() ").split()))[0]
    return None if " " in value else value


def lost_on_the_command_line(frozen: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What was there and is there no more, a line each; more commands, options and spellings are welcome."""
    lost = []
    for words, command in frozen.items():
        where = f"dplass {words}".strip()
        if words not in now:
            lost.append(f"{where}: no such command")
            continue
        by_spelling = {
            spelling: option
            for option in now[words]["options"].values()
            for spelling in (*option["spellings"], *option["negations"])
        }
        for name, option in command["options"].items():
            lost += [f"{where} {name}: {what}" for what in _lost_of_option(option, by_spelling)]
        lost += [f"{where}: {what}" for what in _lost_of_arguments(command["arguments"], now[words]["arguments"])]
        lost += [f"{where} {one}: not taken" for one in command["published"] if one not in now[words]["published"]]
    return lost


def _lost_of_option(frozen: dict[str, Any], by_spelling: dict[str, Any]) -> Iterator[str]:
    for kind in ("spellings", "negations"):
        for spelling in frozen[kind]:
            now = by_spelling.get(spelling)
            if now is None:
                yield f"{spelling} is gone"
                continue
            if spelling not in now[kind]:
                yield f"{spelling} has the opposite sense"
            for what in ("flag", "values"):
                if now[what] != frozen[what]:
                    yield f"{spelling}: {what} was {frozen[what]}, is {now[what]}"
            if frozen["repeats"] and not now["repeats"]:
                yield f"{spelling} cannot be repeated"
            if now["required"] and not frozen["required"]:
                yield f"{spelling} is required"
    if frozen["default"] is not None:
        shown = {by_spelling[spelling]["default"] for spelling in frozen["spellings"] if spelling in by_spelling}
        if shown and frozen["default"] not in shown:
            yield f"its default was {frozen['default']}, is {', '.join(map(str, shown))}"


def _lost_of_arguments(frozen: list[dict[str, bool]], now: list[dict[str, bool]]) -> Iterator[str]:
    for place, argument in enumerate(frozen):
        if place >= len(now):
            yield f"positional argument {place + 1} is gone"
            continue
        if argument["repeats"] and not now[place]["repeats"]:
            yield f"positional argument {place + 1} cannot be repeated"
        if now[place]["required"] and not argument["required"]:
            yield f"positional argument {place + 1} is required"
    for place, argument in enumerate(now[len(frozen) :], len(frozen)):
        if argument["required"]:
            yield f"positional argument {place + 1} is new and required"


def python_api() -> dict[str, Any]:
    """The parameters of the public functions, and of the public methods of the public classes."""
    described = {}
    for name, members in PUBLIC_NAMES.items():
        value = _public(name)
        if not members:
            described[name] = _parameters(value)
        for member in members:
            if hasattr(value, member):
                described[f"{name}.{member}"] = _parameters(getattr(value, member))
    return described


def _public(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _parameters(value: Any) -> dict[str, Any] | None:
    """{parameter: its kind and default}; None of a property or another value."""
    if not callable(value):
        return None
    return {
        parameter.name: {
            "kind": parameter.kind.name,
            "default": None if parameter.default is parameter.empty else _shown(parameter.default),
        }
        for parameter in inspect.signature(value).parameters.values()
    }


def _shown(default: Any) -> str:
    return "a function" if callable(default) else repr(default)


def lost_in_python(frozen: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names and parameters that were there and are there no more, or have another default, a line each."""
    lost = []
    for name, parameters in frozen.items():
        if name not in now:
            lost.append(f"{name} is gone")
        elif parameters is None or now[name] is None:
            if parameters != now[name]:
                lost.append(f"{name} was {_kind(parameters)}, is {_kind(now[name])}")
        else:
            lost += [f"{name}: {what}" for what in _lost_of_signature(parameters, now[name])]
    return lost


def _kind(parameters: dict[str, Any] | None) -> str:
    return "an attribute" if parameters is None else "called"


def _lost_of_signature(frozen: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name, parameter in frozen.items():
        if name not in now:
            yield f"{name} is gone"
            continue
        if now[name]["default"] != parameter["default"]:
            yield f"{name}'s default was {parameter['default']}, is {now[name]['default']}"
        if parameter["kind"] == "POSITIONAL_OR_KEYWORD" and now[name]["kind"] != parameter["kind"]:
            yield f"{name} is {now[name]['kind'].lower()}"
    for name, parameter in now.items():
        required = parameter["default"] is None and not parameter["kind"].startswith("VAR_")
        if name not in frozen and required:
            yield f"{name} is new and required"


def lost_numbers(frozen: Any, now: Any, tolerance: float) -> dict[str, tuple[Any, Any]]:
    """The leaves of a JSON value that are others now, {where: (before, now)}; more of them are welcome."""
    before, after = dict(_leaves(frozen)), dict(_leaves(now))
    return {
        where: (value, after.get(where, "gone"))
        for where, value in before.items()
        if where not in after or not _same(value, after[where], tolerance)
    }


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{where}/{key}")
    else:
        yield where, value


def _same(before: Any, after: Any, tolerance: float) -> bool:
    if isinstance(before, float) and isinstance(after, (int, float)):
        return abs(before - after) <= tolerance
    return bool(before == after)
