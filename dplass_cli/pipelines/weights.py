"""``weights``: list, fetch and verify the files in the table of known files."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.errors import InputError, some
from dplass_cli.options.weights_options import WeightsFetchOptions, WeightsOptions, WeightsVerifyOptions
from dplass_cli.resources import default_folder
from dplass_cli.storage import Progress, no_progress
from dplass_cli.weights.fetching import (
    FetchedFile,
    ListedWeights,
    VerifiedFile,
    WeightsStore,
    list_entries,
    verify_files,
)
from dplass_cli.weights.known_files import WeightsEntry, read_known_files, select_entries, with_own_entries
from dplass_cli.weights.named_models import entries_to_fetch


def list_weights(options: WeightsOptions) -> list[ListedWeights]:
    """List known files, and which of them are present.

    Raises:
        InputError: a name is not known, or the table is invalid.
    """
    store, table = _store(options), _table(options)
    return list_entries(store, select_entries(table, options.names or table))


def fetch_weights(options: WeightsFetchOptions, progress: Progress = no_progress) -> list[FetchedFile]:
    """Fetch the missing files of the named entries or models, check the present ones, and pin their hashes.

    Raises:
        InputError: no name or an unknown one is given; files are missing and ``offline`` is set, or they can only be
            fetched by hand.
        RunError: a file cannot be fetched, or has another hash than the expected one.
    """
    store, table = _store(options), _table(options)
    if not options.names:
        raise InputError(f"no names given; name what to fetch: {some(table, limit=len(table))}")
    names = options.names if options.table else entries_to_fetch(options.names)
    entries = select_entries(table, names)
    if options.offline:
        missing = [
            str(store.path(name, file)) for name, entry in entries.items() for file in store.missing(name, entry)
        ]
        if missing:
            raise InputError(f"{some(missing)}: not fetched yet; run without --offline to fetch")
    return [fetched for name, entry in entries.items() for fetched in store.fetch(name, entry, progress)]


def verify_weights(options: WeightsVerifyOptions, progress: Progress = no_progress) -> list[VerifiedFile]:
    """Hash fetched files again, and compare them with the lock file.

    Raises:
        InputError: a name is unknown, the lock file is invalid, or there is nothing to verify.
        RunError: a file cannot be read.
    """
    table = _table(options)
    return verify_files(_store(options), table, select_entries(table, options.names), progress)


def _store(options: WeightsOptions) -> WeightsStore:
    """The folder of fetched files, with its lock file."""
    return WeightsStore(_folder(options), options.lock)


def _table(options: WeightsOptions) -> dict[str, WeightsEntry]:
    return read_known_files(options.table) if options.table else with_own_entries(_folder(options))


def _folder(options: WeightsOptions) -> Path:
    return (options.output or default_folder()).expanduser()
