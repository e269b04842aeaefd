"""``weights``: list, fetch and verify the files that the table of known files names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError, some
from dplass_cli.options.weights_options import WeightsFetchOptions, WeightsOptions, WeightsVerifyOptions
from dplass_cli.storage import Progress, no_progress
from dplass_cli.weights.fetching import Fetched, Store, hashed
from dplass_cli.weights.known_files import Known, chosen, home, read_table

Status = Literal["ok", "differs", "missing", "not pinned"]


@dataclass(frozen=True)
class ListedWeights:
    """A row of the table and what of it is there: its folder, or None, and the files that are missing."""

    name: str
    row: Known
    folder: Path | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Verified:
    """A file, its state, and its hash as expected and as found; None where there is none."""

    path: Path
    status: Status
    expected: str | None
    found: str | None


def list_weights(options: WeightsOptions) -> list[ListedWeights]:
    """List known files.

    Raises:
        InputError: a name is not known, or the table is wrong.
    """
    store, table = _store(options), read_table(options.table)
    listed = []
    for name, row in chosen(table, options.names or table).items():
        missing = store.missing(name, row)
        folder = store.folder / name if len(missing) < len(row.files) else None
        listed.append(ListedWeights(name, row, folder, tuple(file.name for file in missing)))
    return listed


def fetch_weights(options: WeightsFetchOptions, progress: Progress = no_progress) -> list[Fetched]:
    """Fetch what is missing of the named rows, check what is there, and pin the hashes.

    Raises:
        InputError: no or an unknown name; files are missing and ``offline`` is set, or can only be fetched by hand.
        RunError: a file cannot be fetched, or has another hash than the expected one.
    """
    store, table = _store(options), read_table(options.table)
    if not options.names:
        raise InputError(f"nothing named; name what to fetch: {some(table, limit=len(table))}")
    rows = chosen(table, options.names)
    if options.offline:
        missing = [str(store.path(name, file)) for name, row in rows.items() for file in store.missing(name, row)]
        if missing:
            raise InputError(f"not there: {some(missing)}; run without --offline to fetch")
    return [fetched for name, row in rows.items() for fetched in store.fetch(name, row, progress)]


def verify_weights(options: WeightsVerifyOptions, progress: Progress = no_progress) -> list[Verified]:
    """Hash again what is pinned, named, or there, and compare it with the lock file.

    Raises:
        InputError: an unknown name, a wrong lock file, or nothing to verify.
        RunError: a file cannot be read.
    """
    store, table = _store(options), read_table(options.table)
    rows = chosen(table, options.names or table)
    pinned = store.pinned()
    expected: dict[str, str | None] = {
        key: digest for key, digest in pinned.items() if not options.names or key.partition("/")[0] in rows
    }
    for name, row in rows.items():
        for file in row.files:
            if options.names or store.path(name, file).exists():
                expected.setdefault(f"{name}/{file.name}", file.sha256)
    if not expected:
        raise InputError(f"{store.folder}: nothing is fetched there; see dplass weights list, or give --output")
    return [_verified(store.folder / key, digest, progress) for key, digest in sorted(expected.items())]


def _verified(path: Path, expected: str | None, progress: Progress) -> Verified:
    if not path.is_file():
        return Verified(path, "missing", expected, None)
    found = hashed(path, progress)
    if expected is None:
        return Verified(path, "not pinned", None, found)
    return Verified(path, "ok" if found == expected else "differs", expected, found)


def _store(options: WeightsOptions) -> Store:
    """The folder of fetched files with its lock file."""
    return Store((options.output or home()).expanduser(), options.lock)
