"""Fetched files: whole or not there, hashed, and pinned in a lock file that they are checked against ever after."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dplass_cli.errors import InputError, RunError, some
from dplass_cli.storage import Progress, file_sha256, locked, make_folder, read_json, write_json
from dplass_cli.weights.downloading import download
from dplass_cli.weights.known_files import Known, KnownFile

LOCK_NAME = "dplass-weights.lock.json"


@dataclass(frozen=True)
class Fetched:
    """A file that is there and right; ``downloaded`` if this run brought it."""

    name: str
    path: Path
    size: int
    sha256: str
    downloaded: bool


class Store:
    """A folder of fetched files, ``NAME/FILE``, and the lock file with their hashes."""

    def __init__(self, folder: Path, lock: Path | None = None) -> None:
        self.folder = folder
        self.lock = lock or folder / LOCK_NAME
        self._staging = folder / ".fetching"

    def path(self, name: str, file: KnownFile) -> Path:
        """Where a file lies, or would."""
        return self.folder / name / file.name

    def missing(self, name: str, row: Known) -> list[KnownFile]:
        """The files of a row that are not there."""
        return [file for file in row.files if not self.path(name, file).is_file()]

    def pinned(self) -> dict[str, str]:
        """The lock file's content: {"NAME/FILE": sha256}.

        Raises:
            InputError: it is not such a file.
        """
        if not self.lock.exists():
            return {}
        content = read_json(self.lock)
        files = content.get("files") if isinstance(content, dict) else None
        if not isinstance(files, dict) or not all(map(_is_pin, files.values())):
            raise InputError(f"{self.lock}: not a lock file of fetched files; give another with --lock, or remove it")
        return {key: entry["sha256"] for key, entry in files.items()}

    def fetch(self, name: str, row: Known, progress: Progress) -> list[Fetched]:
        """Bring what is missing of a row, check every file's hash, and pin hashes that are not yet pinned.

        Several processes may do this at once: one fetches, the others wait and find the files there.

        Raises:
            InputError: the row's files are fetched by hand, or the folder or lock file cannot be used.
            RunError: a file cannot be fetched, or its hash is not the expected one; nothing is replaced then.
        """
        with _alone(self._staging / f"{name}.lock", progress):
            return [self._fetch(name, row, file, progress) for file in row.files]

    def _fetch(self, name: str, row: Known, file: KnownFile, progress: Progress) -> Fetched:
        target = self.path(name, file)
        expected, whose = self._expected(name, file)
        found = target
        if downloaded := not target.exists():
            found = self._bring(name, row, file, progress)
        size, digest = found.stat().st_size, hashed(found, progress)
        if expected is not None and digest != expected:
            kept = target.with_name(f"{target.name}.differs-{digest[:8]}") if downloaded else target
            if downloaded:
                _move(found, kept)
            raise RunError(
                f"{target}: expected sha256 {expected} ({whose}), but {kept} has {digest}; nothing was replaced:"
                " move it away and fetch again"
            )
        if expected is None and file.size is not None and not file.size / 2 <= size <= file.size * 2:
            raise RunError(
                f"{found}: has {size:,} bytes, where about {file.size:,} are expected; is it an error page? If"
                f" it is right, move it to {target} and fetch again, else remove it"
            )
        if downloaded:
            _move(found, target)
        self._pin(f"{name}/{file.name}", digest, size, row.source, progress)
        return Fetched(name, target, size, digest, downloaded)

    def _expected(self, name: str, file: KnownFile) -> tuple[str | None, str]:
        pinned = self.pinned().get(f"{name}/{file.name}")
        if pinned and file.sha256 and pinned != file.sha256:
            raise InputError(
                f"{self.lock}: pins {name}/{file.name} to sha256 {pinned}, but the published file has {file.sha256};"
                " if you trust the published one, remove the entry"
            )
        return pinned or file.sha256, f"pinned in {self.lock}" if pinned else "as published"

    def _bring(self, name: str, row: Known, file: KnownFile, progress: Progress) -> Path:
        staging = self._staging / name
        if row.hub is not None:
            url, headers = _hub_request(row.hub, row.revision, file.path)
            return download(url, staging, file.name, headers, progress)
        if row.url is not None:
            return download(f"{row.url.rstrip('/')}/{quote(file.path)}", staging, file.name, {}, progress)
        assert row.drive is not None
        by_hand = f"open {row.drive}, put {some(f.name for f in self.missing(name, row))} into {self.folder / name}"
        return _from_drive(name, row.drive, file, staging, by_hand, progress)

    def _pin(self, key: str, digest: str, size: int, source: str, progress: Progress) -> None:
        with _alone(self._staging / ".pins.lock", progress):  # no row has such a name
            if key not in self.pinned():
                files = read_json(self.lock)["files"] if self.lock.exists() else {}
                files[key] = {"sha256": digest, "size": size, "source": source}
                write_json(self.lock, {"files": dict(sorted(files.items()))})


def hashed(path: Path, progress: Progress) -> str:
    """Hash a file's bytes, and tell how far it is.

    Raises:
        RunError: it cannot be read.
    """
    size = path.stat().st_size // 10**6 if path.is_file() else 0
    return file_sha256(path, lambda done: progress(done // 10**6, max(size, 1), f"checking {path.name}, MB"))


def _is_pin(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("sha256"), str)


def _move(source: Path, target: Path) -> None:
    make_folder(target.parent)
    try:
        with open(source, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(source, target)
    except OSError as error:
        raise RunError(f"{target}: cannot be put there ({error.strerror}); the file is kept as {source}") from error


def _alone(path: Path, progress: Progress) -> contextlib.AbstractContextManager[None]:
    """Keep other processes out, and say so while this one waits."""
    return locked(path, lambda: progress(0, 1, f"waiting for another process that fetches {path.stem}"))


def _hub_request(repository: str, revision: str, path: str) -> tuple[str, dict[str, str]]:
    """The address of a file of the Hub and the headers to ask with, by HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE."""
    from huggingface_hub import constants, get_token, hf_hub_url

    kind, _, rest = repository.partition("/")
    kinds = {"spaces": "space", "datasets": "dataset"}
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"{path}: not there, and HF_HUB_OFFLINE is set; unset it and fetch again")
    url = hf_hub_url(rest if kind in kinds else repository, path, repo_type=kinds.get(kind), revision=revision)
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return url, {"Authorization": f"Bearer {token}"} if token else {}


def _from_drive(name: str, drive: str, file: KnownFile, staging: Path, by_hand: str, progress: Progress) -> Path:
    """Fetch a folder of Google Drive and return a file of it; an earlier call may have brought it."""
    if not (found := sorted(staging.rglob(file.name))):
        try:
            import gdown
        except ImportError as error:
            raise InputError(
                f"{name}: fetched by hand: {by_hand} and run again; or install the extra: pip install 'dplass[drive]'"
            ) from error
        make_folder(staging)
        progress(0, 1, f"{name} from Google Drive")
        try:
            gdown.download_folder(drive, output=f"{staging}/", quiet=True, use_cookies=False, resume=True, retries=3)
        except (gdown.exceptions.DownloadError, OSError) as error:
            raise RunError(f"{name}: Google Drive does not give it ({error}); {by_hand} and run again") from error
        found = sorted(staging.rglob(file.name))
    if not found:
        raise RunError(f"{drive}: no {file.name} in this folder; it may have changed: {by_hand} and run again")
    return found[0]
