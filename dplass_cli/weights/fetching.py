"""Fetched files: complete or absent, listed, and verified by hashes that are pinned in a lock file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from dplass_cli.errors import InputError, RunError, some
from dplass_cli.storage import Progress, file_sha256, locked, make_folder, read_json, write_json
from dplass_cli.weights.downloading import download
from dplass_cli.weights.known_files import KnownFile, WeightsEntry

LOCK_NAME = "dplass-weights.lock.json"


Status = Literal["ok", "differs", "missing", "not pinned"]


@dataclass(frozen=True)
class FetchedFile:
    """A file that is present and has the expected hash.

    Attributes:
        name: the entry's name.
        path: the file.
        size: bytes.
        sha256: hash of its bytes.
        downloaded: whether this run downloaded it.
    """

    name: str
    path: Path
    size: int
    sha256: str
    downloaded: bool


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


class WeightsStore:
    """A folder of fetched files, ``NAME/FILE``, and the lock file with their hashes (:data:`LOCK_NAME` in it)."""

    def __init__(self, folder: Path, lock: Path | None = None) -> None:
        self.folder = folder
        self.lock = lock or folder / LOCK_NAME
        self._staging = folder / ".fetching"

    def path(self, name: str, file: KnownFile) -> Path:
        return self.folder / name / file.name

    def missing(self, name: str, entry: WeightsEntry) -> list[KnownFile]:
        return [file for file in entry.files if not self.path(name, file).is_file()]

    def pinned(self) -> dict[str, str]:
        """The content of the lock file: {"NAME/FILE": sha256}; InputError if it is not one."""
        if not self.lock.exists():
            return {}
        content = read_json(self.lock)
        files = content.get("files") if isinstance(content, dict) else None
        if not isinstance(files, dict) or not all(
            isinstance(pin, dict) and isinstance(pin.get("sha256"), str) for pin in files.values()
        ):
            raise InputError(
                f"{self.lock}: not a lock file of fetched files; give another one with --lock, or remove it"
            )
        return {key: entry["sha256"] for key, entry in files.items()}

    def fetch(self, name: str, entry: WeightsEntry, progress: Progress) -> list[FetchedFile]:
        """Download the missing files of an entry, check the hashes of all its files, and pin new hashes.

        Several processes may do this at once: one downloads, the others wait for it.

        Raises:
            InputError: the files must be fetched by hand, or the folder or lock file cannot be used.
            RunError: a file cannot be downloaded, or its hash is not the expected one; nothing is replaced.
        """
        with _exclusively(self._staging / f"{name}.lock", progress):
            return [self._fetch(name, entry, file, progress) for file in entry.files]

    def _fetch(self, name: str, entry: WeightsEntry, file: KnownFile, progress: Progress) -> FetchedFile:
        target = self.path(name, file)
        expected, origin = self._expected(name, file)
        found = target
        if downloaded := not target.exists():
            found = self._download(name, entry, file, progress)
        size, digest = found.stat().st_size, _hash(found, progress)
        if expected is not None and digest != expected:
            kept = target.with_name(f"{target.name}.differs-{digest[:8]}") if downloaded else target
            if downloaded:
                _move(found, kept)
            raise RunError(
                f"{target}: expected sha256 {expected} ({origin}), but {kept} has {digest}; nothing was"
                " replaced: move it away and fetch again"
            )
        if expected is None and file.size is not None and not file.size / 2 <= size <= file.size * 2:
            raise RunError(
                f"{found}: has {size:,} bytes, expected about {file.size:,}; if the file is correct, move it to"
                f" {target} and fetch again; if it is an error page, remove it"
            )
        if downloaded:
            _move(found, target)
        self._pin(f"{name}/{file.name}", digest, size, entry.source, progress)
        return FetchedFile(name, target, size, digest, downloaded)

    def _expected(self, name: str, file: KnownFile) -> tuple[str | None, str]:
        pinned = self.pinned().get(f"{name}/{file.name}")
        if pinned and file.sha256 and pinned != file.sha256:
            raise InputError(
                f"{self.lock}: pins {name}/{file.name} to sha256 {pinned}, but the table has {file.sha256};"
                " if you trust the table, remove the pin"
            )
        return pinned or file.sha256, f"pinned in {self.lock}" if pinned else "from the table"

    def _download(self, name: str, entry: WeightsEntry, file: KnownFile, progress: Progress) -> Path:
        staging = self._staging / name
        if entry.hub is not None:
            url, headers = _hub_request(entry.hub, entry.revision, file.path)
            return download(url, staging, file.name, headers, progress)
        if entry.url is not None:
            return download(f"{entry.url.rstrip('/')}/{quote(file.path)}", staging, file.name, {}, progress)
        assert entry.drive is not None
        missing = some(file.name for file in self.missing(name, entry))
        by_hand = f"open {entry.drive}, put {missing} into {self.folder / name}"
        return _from_drive(name, entry.drive, file, staging, by_hand, progress)

    def _pin(self, key: str, digest: str, size: int, source: str, progress: Progress) -> None:
        with _exclusively(self._staging / ".pins.lock", progress):  # no entry can have this name
            if key not in self.pinned():
                files = read_json(self.lock)["files"] if self.lock.exists() else {}
                files[key] = {"sha256": digest, "size": size, "source": source}
                write_json(self.lock, {"files": dict(sorted(files.items()))})


def list_entries(store: WeightsStore, entries: Mapping[str, WeightsEntry]) -> list[ListedWeights]:
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

    Without names, all files that are pinned or present are verified. Progress is in megabytes.
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
    found = _hash(path, progress)
    if expected is None:
        return VerifiedFile(path, "not pinned", None, found)
    return VerifiedFile(path, "ok" if found == expected else "differs", expected, found)


def _hash(path: Path, progress: Progress) -> str:
    size = path.stat().st_size // 10**6 if path.is_file() else 0
    return file_sha256(path, lambda done: progress(done // 10**6, max(size, 1), f"checking {path.name}, MB"))


def _move(source: Path, target: Path) -> None:
    make_folder(target.parent)
    try:
        with open(source, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(source, target)
    except OSError as error:
        raise RunError(f"{target}: cannot write there ({error.strerror}); the file is kept as {source}") from error


def _exclusively(path: Path, progress: Progress) -> contextlib.AbstractContextManager[None]:
    """Hold a lock, and report it while waiting for another process."""
    return locked(path, lambda: progress(0, 1, f"waiting for another process that is fetching {path.stem}"))


def _hub_request(repository: str, revision: str, path: str) -> tuple[str, dict[str, str]]:
    """The URL of a file on the Hub and the request headers, respecting HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE."""
    from huggingface_hub import constants, get_token, hf_hub_url

    kind, _, rest = repository.partition("/")
    kinds = {"spaces": "space", "datasets": "dataset"}
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"{path}: not fetched yet, and HF_HUB_OFFLINE is set; unset it and fetch again")
    url = hf_hub_url(rest if kind in kinds else repository, path, repo_type=kinds.get(kind), revision=revision)
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return url, {"Authorization": f"Bearer {token}"} if token else {}


def _from_drive(name: str, drive: str, file: KnownFile, staging: Path, by_hand: str, progress: Progress) -> Path:
    """Download a folder from Google Drive, unless an earlier call did, and return one of its files."""
    if not (found := sorted(staging.rglob(file.name))):
        try:
            import gdown
        except ImportError as error:
            raise InputError(
                f"{name}: must be fetched by hand: {by_hand} and run again; or install gdown:"
                " pip install 'dplass[drive]'"
            ) from error
        make_folder(staging)
        progress(0, 1, f"{name} from Google Drive")
        try:
            gdown.download_folder(drive, output=f"{staging}/", quiet=True, use_cookies=False, resume=True, retries=3)
        except (gdown.exceptions.DownloadError, OSError) as error:
            raise RunError(f"{name}: Google Drive refuses it ({error}); {by_hand} and run again") from error
        found = sorted(staging.rglob(file.name))
    if not found:
        raise RunError(f"{drive}: no {file.name} in this folder; it may have changed: {by_hand} and run again")
    return found[0]
