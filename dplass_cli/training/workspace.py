"""The folder of a training run: it is one run's, and whoever goes on in it has the settings that it was begun with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import resume_rules
from dplass_cli.options.parse import read_yaml, to_mapping
from dplass_cli.storage import locked, make_folder, write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FINISHED = "trained.json"
"""Stands in a job's folder below ``checkpoints/`` once it is finished, and says what it reached."""

_CONFIG = "config.yaml"
_NEW = object()


@contextlib.contextmanager
def begun_run(workspace: Path, options: DataclassInstance, resume: bool) -> Iterator[None]:
    """Take a folder for a run and write its options there; or go on with the run that it holds.

    A run that wrong input ends before it has learnt anything has not begun: the folder is free for the right input.

    Raises:
        InputError: it holds a run and ``resume`` is not set, or that run was begun with other settings.
    """
    begun = workspace / _CONFIG
    fresh = not begun.exists()
    _begin(begun, options, resume)
    try:
        yield
    except InputError:
        if fresh and not any((workspace / "checkpoints").glob("*/*")):
            begun.unlink()
        raise


def _begin(begun: Path, options: DataclassInstance, resume: bool) -> None:
    workspace = begun.parent
    if begun.exists() and not resume:
        raise InputError(f"{workspace}: holds a training run; go on with --resume, or give another --workspace")
    make_folder(workspace)
    settings = {name: value for name, value in to_mapping(options).items() if name != "resume"}
    if begun.exists():
        before = read_yaml(begun)
        rules = resume_rules(options)
        for key, now in what_is_learnt(options).items():
            was = _at(before, key)
            if rules[key] == "fixed" and was not in (now, _NEW):
                raise InputError(
                    f"{workspace}: was begun with {key} {was!r}, not {now!r}; --resume goes on with the same"
                    " settings, or give another --workspace"
                )
    write_text(begun, yaml.safe_dump(settings, sort_keys=False))


def what_is_learnt(options: DataclassInstance) -> dict[str, Any]:
    """{key.path: value} of the options that affect the figures of a run."""
    settings = to_mapping(options)
    return {key: _at(settings, key) for key, rule in resume_rules(options).items() if rule != "free"}


def _at(tree: Any, key: str) -> Any:
    """The value at a key.path; ``_NEW`` where its section does not know it, as of an older version."""
    for part in key.split("."):
        if not isinstance(tree, Mapping):
            return tree if tree is _NEW else None
        tree = tree.get(part, _NEW)
    return tree


def alone_in(workspace: Path, what: str = "run") -> contextlib.AbstractContextManager[None]:
    """Hold a workspace: one run (or sweep) at a time is at work in it.

    Raises:
        InputError: another is.
    """

    def refuse() -> None:
        raise InputError(f"{workspace}: another {what} is at work in this workspace; wait for it, or give another")

    return locked(workspace / ".lock", refuse)
