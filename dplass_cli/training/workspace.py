"""The folder of a training run: it is one run's, and whoever goes on in it has the settings that it was begun with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from dplass_cli.configuration import read_yaml
from dplass_cli.errors import InputError
from dplass_cli.storage import locked, make_folder, write_text

_CONFIG = "config.yaml"
# What a resumed run may be given anew; all else must be as it was begun.
_MAY_CHANGE = {
    "workspace", "domain", "trust_checkpoint", "cache", "device", "num_gpus", "num_nodes", "strategy", "parallel",
    "dry_run", "fast_dev_run", "data.max_bad_files", "train.num_workers", "train.max_epochs",
    "train.min_epochs", "train.max_steps", "train.patience", "train.save_top_k", "train.save_step_frequency",
    "train.examples", "train.wandb_project",
}  # fmt: skip


@contextlib.contextmanager
def begun_run(workspace: Path, settings: Mapping[str, Any], resume: bool) -> Iterator[None]:
    """Take a folder for a run and write its settings there; or go on with the run that it holds.

    A run that wrong input ends before it has learnt anything has not begun: the folder is free for the right input.

    Raises:
        InputError: it holds a run and ``resume`` is not set, or that run was begun with other settings.
    """
    begun = workspace / _CONFIG
    fresh = not begun.exists()
    _begin(begun, settings, resume)
    try:
        yield
    except InputError:
        if fresh and not any((workspace / "checkpoints").glob("*/*")):
            begun.unlink()
        raise


def _begin(begun: Path, settings: Mapping[str, Any], resume: bool) -> None:
    workspace = begun.parent
    if begun.exists() and not resume:
        raise InputError(f"{workspace}: holds a training run; go on with --resume, or give another --workspace")
    make_folder(workspace)
    if begun.exists():
        was, now = _flat(read_yaml(begun)), _flat(settings)
        for key, value in now.items():
            if key not in _MAY_CHANGE and key in was and was[key] != value:
                raise InputError(
                    f"{workspace}: was begun with {key} {was[key]!r}, not {value!r}; --resume goes on with the same"
                    " settings, or give another --workspace"
                )
    write_text(begun, yaml.safe_dump(dict(settings), sort_keys=False))


def alone_in(workspace: Path, what: str = "run") -> contextlib.AbstractContextManager[None]:
    """Hold a workspace: one run (or sweep) at a time is at work in it.

    Raises:
        InputError: another is.
    """

    def refuse() -> None:
        raise InputError(f"{workspace}: another {what} is at work in this workspace; wait for it, or give another")

    return locked(workspace / ".lock", refuse)


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """{key.path: value} of nested sections."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{path}{key}.") if isinstance(value, Mapping) else {f"{path}{key}": value}
    return flat
