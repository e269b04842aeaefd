"""The folder of a training run: it is one run's, and whoever goes on in it has the settings that it was begun with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dplass_cli.errors import InputError
from dplass_cli.options.parse import read_yaml, to_mapping
from dplass_cli.storage import locked, make_folder, write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FINISHED = "trained.json"
"""Stands in a job's folder below ``checkpoints/`` once it is finished, and says what it reached."""

_CONFIG = "config.yaml"
# What a resumed run may be given anew; all else must be as it was begun: where and how it runs, and how long.
_HOW_IT_RUNS = {
    "resume", "workspace", "trust_checkpoint", "cache", "device", "num_gpus", "num_nodes", "strategy", "parallel",
    "dry_run", "fast_dev_run", "data.max_bad_files", "train.num_workers", "train.save_top_k",
    "train.save_step_frequency", "train.examples", "train.wandb_project",
}  # fmt: skip
_HOW_LONG = {"domain", "train.max_epochs", "train.min_epochs", "train.max_steps", "train.patience"}


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
        for key, now in what_is_learnt(options).items():
            was = _at(before, key)
            if key not in _HOW_LONG and was not in (now, _NEW):
                raise InputError(
                    f"{workspace}: was begun with {key} {was!r}, not {now!r}; --resume goes on with the same"
                    " settings, or give another --workspace"
                )
    write_text(begun, yaml.safe_dump(settings, sort_keys=False))


def what_is_learnt(options: DataclassInstance) -> dict[str, Any]:
    """{key.path: value} of the options that the figures of a run depend on."""
    settings = to_mapping(options)
    return {key: _at(settings, key) for key in _keys(options) if key not in _HOW_IT_RUNS}


def _keys(options: DataclassInstance, path: str = "") -> Iterator[str]:
    """The key.paths of all options; a mapping that is an option's value, such as weights of losses, is one value."""
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _keys(value, f"{path}{field.name}.")
        else:
            yield path + field.name


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
