"""``weights``: the known weights and lists, fetching them once, and proving later that they are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dplass_cli.errors import InputError
from dplass_cli.resources import home
from dplass_cli.storage import Progress, no_progress
from dplass_cli.weights.fetching import LOCK, WeightsLock, fetch_file
from dplass_cli.weights.hashing import file_sha256
from dplass_cli.weights.known import Known, KnownFile, choose, known_weights


@dataclass(frozen=True)
class ListedWeights:
    """An entry of the table, its size in MB, and how much of it lies in the folder."""

    name: str
    entry: Known
    mb: float
    present: Literal["all", "some", "none"]


@dataclass(frozen=True)
class FetchOptions:
    """Options of ``weights fetch``.

    Attributes:
        names: entries of the table.
        output: where they go, a folder an entry; default ``weights`` in dplass's own folder.
        offline: fetch nothing; say what is missing.
        lock: the file of pinned hashes; default in the output.
    """

    names: tuple[str, ...]
    output: Path | None = None
    offline: bool = False
    lock: Path | None = None


@dataclass(frozen=True)
class Checked:
    """A file and what was found: ``fetched``, ``present``, ``same``, ``differs``, ``missing`` or ``not pinned``."""

    name: str
    path: Path
    state: str
    sha256: str | None


def folder_of(output: Path | None) -> Path:
    """The folder of fetched weights."""
    return output or home() / "weights"


def list_weights(output: Path | None = None, table: dict[str, Known] | None = None) -> list[ListedWeights]:
    """List the table."""
    folder = folder_of(output)
    listed = []
    for name, entry in (table or known_weights()).items():
        there = [(folder / name / file.path).is_file() for file in entry.files] or [
            any((folder / name).rglob("cluster*_model.pt"))
        ]
        present: Literal["all", "some", "none"] = "all" if all(there) else "some" if any(there) else "none"
        listed.append(ListedWeights(name, entry, sum(file.mb for file in entry.files), present))
    return listed


def fetch_weights(
    options: FetchOptions, progress: Progress = no_progress, table: dict[str, Known] | None = None
) -> list[Checked]:
    """Fetch what is not there, pin hashes of what is new, and refuse what is not what was pinned.

    Raises:
        InputError: no or unknown names, something missing offline, an entry that is fetched by hand.
        RunError: it cannot be fetched, or its hash is not the pinned one (both are shown; the file is set aside).
    """
    chosen = choose(options.names, table or known_weights())
    if not options.names:
        raise InputError(f"name what to fetch: {', '.join(chosen)}")
    folder = folder_of(options.output)
    lock = WeightsLock(options.lock or folder / LOCK)
    checked = []
    for name, entry in chosen.items():
        files = entry.files if entry.drive is None else _from_drive(name, entry, folder / name, options.offline)
        for file in files:
            checked.append(_fetch_one(f"{name}/{file.path}", file, folder, lock, options.offline, progress))
    return checked


def _fetch_one(
    name: str, file: KnownFile, folder: Path, lock: WeightsLock, offline: bool, progress: Progress
) -> Checked:
    path, expected = folder / name, lock.expected(name)
    state = "present"
    if not path.is_file():
        if offline:
            raise InputError(f"{path}: is not there, and --offline fetches nothing; fetch it where there is a network")
        fetch_file(file, folder / name.partition("/")[0], lambda done, total: progress(done, total, name))
        state = "fetched"
    found = file_sha256(path)
    if expected is None:
        lock.pin(name, found, path.stat().st_size, file.url or f"{file.hub}/{file.path}")
    elif found != expected and state == "present":
        raise InputError(f"{path}: its hash is {found}, not the pinned {expected}; remove the file to fetch it again")
    elif found != expected:
        aside = path.with_name(path.name + ".other")
        path.replace(aside)
        raise InputError(
            f"{name}: what was fetched has the hash {found}, not the pinned {expected}; it is set aside as {aside};"
            f" if the change is meant, remove the entry from {lock.path}"
        )
    return Checked(name, path, state, found)


def _from_drive(name: str, entry: Known, folder: Path, offline: bool) -> list[KnownFile]:
    """The files of a Google Drive folder, fetched by ``gdown`` where it is installed."""
    found = sorted(folder.rglob("*.pt"))
    if not found and not offline:
        try:
            import gdown
        except ImportError as error:
            raise InputError(
                f"{name}: lies in a Google Drive folder; download {entry.drive} by hand into {folder}, or install gdown"
                " (pip install 'dplass[drive]') and run again; then fetch pins the hashes"
            ) from error
        fetch: Any = gdown.download_folder
        fetch(url=entry.drive, output=str(folder), quiet=True)
        found = sorted(folder.rglob("*.pt"))
    if not found:
        raise InputError(f"{folder}: holds no adapters; download {entry.drive} by hand into it")
    return [KnownFile(str(path.relative_to(folder)), url=entry.drive) for path in found]


def verify_weights(names: Sequence[str], output: Path | None = None, lock: Path | None = None) -> list[Checked]:
    """Hash what was fetched again and compare with the pinned hashes.

    Raises:
        InputError: nothing was ever fetched there, or an unknown name.
    """
    folder = folder_of(output)
    pinned = WeightsLock(lock or folder / LOCK)
    choose(names, known_weights())
    wanted = {name: e for name, e in pinned.files.items() if not names or name.partition("/")[0] in names}
    if not wanted:
        raise InputError(f"{pinned.path}: pins nothing{' of ' + ', '.join(names) if names else ''}; fetch it first")
    checked = []
    for name, entry in wanted.items():
        path = folder / name
        found = file_sha256(path) if path.is_file() else None
        state = "missing" if found is None else "same" if found == entry["sha256"] else "differs"
        checked.append(Checked(name, path, state, found))
    return checked
