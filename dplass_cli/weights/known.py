"""The table of known weights and lists (``metadata/weights.yaml``): what they are for, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from dplass_cli.configuration import from_mapping
from dplass_cli.errors import InputError, nearest
from dplass_cli.resources import resource
from dplass_cli.storage import read_text


@dataclass(frozen=True)
class KnownFile:
    """One file: its path below its entry's folder, its size in MB (0: not stated), and where it is fetched from.

    Attributes:
        hub, kind: a repository of Hugging Face, in which ``path`` lies.
        url: or an address.
    """

    path: str
    mb: float = 0.0
    hub: str | None = None
    kind: Literal["model", "dataset", "space"] = "model"
    url: str | None = None


@dataclass(frozen=True)
class Known:
    """An entry: what it is for, its licence as stated, its page, and its files or Google Drive folder."""

    what: str
    licence: str
    page: str
    files: tuple[KnownFile, ...] = ()
    drive: str | None = None


def known_weights(path: Path | None = None) -> dict[str, Known]:
    """Read the table: {name: entry}."""
    path = path or resource("metadata/weights.yaml")
    content = yaml.safe_load(read_text(path))
    return {name: from_mapping(Known, entry, f"{path}: {name}") for name, entry in content.items()}


def choose(names: Sequence[str], table: dict[str, Known]) -> dict[str, Known]:
    """The named entries; all of them for no name.

    Raises:
        InputError: a name that the table does not have.
    """
    for name in names:
        if name not in table:
            raise InputError(f"{name!r} is none of the known weights{nearest(name, table)}")
    return {name: table[name] for name in names} if names else table
