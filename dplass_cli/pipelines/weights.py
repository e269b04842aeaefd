"""``weights``: list, fetch and verify the files in the table of known files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError, some
from dplass_cli.storage import Progress, no_progress
from dplass_cli.weights.fetching import FetchedFile, WeightsStore
from dplass_cli.weights.known_files import default_folder, read_known_files, select_entries
from dplass_cli.weights.verifying import ListedWeights, VerifiedFile, list_entries, verify_files


@dataclass(frozen=True)
class WeightsOptions:
    """What to list, fetch or verify.

    Attributes:
        names: entries of the table; for listing and verifying, none means all.
        output: the folder of fetched files; by default ``$DPLASS_HOME``, else ``~/.cache/dplass``.
        lock: the lock file; by default ``dplass-weights.lock.json`` in that folder.
        offline: download nothing, only report what is missing.
        table: a table of known files to use instead of the shipped one.
    """

    names: tuple[str, ...] = ()
    output: Path | None = None
    lock: Path | None = None
    offline: bool = False
    table: Path | None = None

    def store(self) -> WeightsStore:
        """The folder of fetched files, with its lock file."""
        return WeightsStore((self.output or default_folder()).expanduser(), self.lock)


def list_weights(options: WeightsOptions) -> list[ListedWeights]:
    """List known files, and which of them are present.

    Raises:
        InputError: a name is not known, or the table is invalid.
    """
    table = read_known_files(options.table)
    return list_entries(options.store(), select_entries(table, options.names or table))


def fetch_weights(options: WeightsOptions, progress: Progress = no_progress) -> list[FetchedFile]:
    """Fetch the missing files of the named entries, check the present ones, and pin their hashes.

    Raises:
        InputError: no name or an unknown one is given; files are missing and ``offline`` is set, or they can only be
            fetched by hand.
        RunError: a file cannot be fetched, or has another hash than the expected one.
    """
    store, table = options.store(), read_known_files(options.table)
    if not options.names:
        raise InputError(f"no names given; name what to fetch: {some(table, limit=len(table))}")
    entries = select_entries(table, options.names)
    if options.offline:
        missing = [
            str(store.path(name, file)) for name, entry in entries.items() for file in store.missing(name, entry)
        ]
        if missing:
            raise InputError(f"{some(missing)}: not fetched yet; run without --offline to fetch")
    return [fetched for name, entry in entries.items() for fetched in store.fetch(name, entry, progress)]


def verify_weights(options: WeightsOptions, progress: Progress = no_progress) -> list[VerifiedFile]:
    """Hash fetched files again, and compare them with the lock file.

    Raises:
        InputError: a name is unknown, the lock file is invalid, or there is nothing to verify.
        RunError: a file cannot be read.
    """
    table = read_known_files(options.table)
    names = select_entries(table, options.names)
    return verify_files(options.store(), table, names, progress)
