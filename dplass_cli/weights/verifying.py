"""Which known files are present, and whether they still have their pinned hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.storage import Progress
from dplass_cli.weights.fetching import WeightsStore, hash_with_progress
from dplass_cli.weights.known_files import WeightsEntry

Status = Literal["ok", "differs", "missing", "not pinned"]


@dataclass(frozen=True)
class ListedWeights:
    """An entry of the table, and which of its files are present.

    Attributes:
        name: the entry's name.
        row: the entry.
        folder: the folder of its files; None if none is present.
        missing: names of the files that are not present.
    """

    name: str
    row: WeightsEntry
    folder: Path | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class VerifiedFile:
    """The state of a file.

    Attributes:
        path: the file.
        status: ``ok``, ``differs``, ``missing``, or ``not pinned`` if no hash is known.
        expected: the pinned hash, else the table's; None if neither has one.
        found: the hash of the file; None if it is missing.
    """

    path: Path
    status: Status
    expected: str | None
    found: str | None


def list_entries(store: WeightsStore, entries: Mapping[str, WeightsEntry]) -> list[ListedWeights]:
    """Say of each entry which of its files are present in a store."""
    listed = []
    for name, entry in entries.items():
        missing = store.missing(name, entry)
        folder = store.folder / name if len(missing) < len(entry.files) else None
        listed.append(ListedWeights(name, entry, folder, tuple(file.name for file in missing)))
    return listed


def verify_files(
    store: WeightsStore, table: Mapping[str, WeightsEntry], names: Iterable[str], progress: Progress
) -> list[VerifiedFile]:
    """Hash files again and compare them with the lock file, or with the table where they are not pinned.

    Args:
        store: where the files are.
        table: the known files.
        names: the entries whose files are verified; none means all files that are pinned or present.
        progress: called with megabytes.

    Raises:
        InputError: the lock file is invalid, or there is nothing to verify.
        RunError: a file cannot be read.
    """
    names = set(names)
    expected: dict[str, str | None] = {
        key: digest for key, digest in store.pinned().items() if not names or key.partition("/")[0] in names
    }
    for name, entry in table.items():
        for file in entry.files:
            if name in names or (not names and store.path(name, file).exists()):
                expected.setdefault(f"{name}/{file.name}", file.sha256)
    if not expected:
        raise InputError(f"{store.folder}: contains no fetched files; see dplass weights list, or give --output")
    return [_verify(store.folder / key, digest, progress) for key, digest in sorted(expected.items())]


def _verify(path: Path, expected: str | None, progress: Progress) -> VerifiedFile:
    if not path.is_file():
        return VerifiedFile(path, "missing", expected, None)
    found = hash_with_progress(path, progress)
    if expected is None:
        return VerifiedFile(path, "not pinned", None, found)
    return VerifiedFile(path, "ok" if found == expected else "differs", expected, found)
