"""Command lines in texts: which verbs exist, and whether a line parses, without running it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import typer

from dplass_cli.cli import app


def verbs(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every verb: (its words, its command)."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name), command


def understood(line: str) -> tuple[str, ...]:
    """Parse ``dplass VERB …`` without running it: the verb's words.

    Raises:
        AssertionError: the verb does not exist.
        click.UsageError: an option or a value is wrong.
    """
    words = shlex.split(line)
    assert words[0] == "dplass", line
    known = dict(verbs())
    verb = next((tuple(words[1:end]) for end in (3, 2) if tuple(words[1:end]) in known), None)
    assert verb is not None, f"no such verb: {line}"
    known[verb].make_context(" ".join(verb), words[1 + len(verb) :])
    return verb
