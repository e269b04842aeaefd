"""Fetching files: resumed after a cut, whole or not there, and the same ever after (a lock file keeps their hashes)."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dplass_cli.errors import InputError, RunError
from dplass_cli.storage import locked, make_folder, read_json, write_json
from dplass_cli.weights.known import KnownFile

LOCK = "dplass-weights.lock.json"
_BLOCK = 1 << 20
_TRIES = 5
_TIMEOUT_SECONDS = 30.0

Report = Callable[[int, int], None]
"""Called with (bytes done, bytes in all or 0)."""


def fetch_file(file: KnownFile, folder: Path, report: Report) -> Path:
    """Fetch a file to ``folder / file.path``. What an earlier try got is not fetched again.

    Raises:
        RunError: the server cannot be reached, has no such file, or cut the connection again and again.
        InputError: the folder cannot be written.
    """
    make_folder((folder / file.path).parent)
    return _from_hub(file, folder, report) if file.hub else _from_address(file, folder, report)


def _from_hub(file: KnownFile, folder: Path, report: Report) -> Path:
    from huggingface_hub import hf_hub_download
    from tqdm import tqdm

    class Reporting(tqdm):  # type: ignore[type-arg]
        """What the hub's library tells its bar goes to ``report``; nothing is printed."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            self.done, self.all = int(named.get("initial") or 0), int(named.get("total") or 0)
            named.pop("name", None)
            super().__init__(*arguments, **{**named, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.done += int(n or 0)
            report(self.done, self.all)
            return None

    assert file.hub is not None
    try:
        path = hf_hub_download(
            file.hub,
            file.path,
            repo_type=file.kind,
            local_dir=folder,
            tqdm_class=Reporting,
            endpoint=os.environ.get("HF_ENDPOINT"),  # read now, not when the library was imported
        )
    except Exception as error:  # the library raises what the HTTP library under it raises, which changed with versions
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise RunError(f"{file.hub}/{file.path}: cannot be fetched from the hub ({reason}); try again") from error
    return Path(path)


def _from_address(file: KnownFile, folder: Path, report: Report) -> Path:
    assert file.url is not None
    target = folder / file.path
    part = target.with_name(target.name + ".part")
    with locked(target.with_name(f".{target.name}.lock")):
        if target.is_file():  # another process was here first
            return target
        for attempt in range(_TRIES):
            try:
                _download(file.url, part, report)
                os.replace(part, target)
                return target
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise RunError(
                        f"{file.url}: the server says {error.code} {error.reason}; look at its page"
                    ) from error
                reason = f"{error.code} {error.reason}"
            except (urllib.error.URLError, ConnectionError, TimeoutError, EOFError) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            except OSError as error:
                raise RunError(f"{part}: writing failed ({error.strerror}); free space and run again") from error
            time.sleep(min(2.0**attempt * 0.1, 5.0))
    raise RunError(f"{file.url}: cannot be fetched ({reason}); what arrived is kept, run again to go on")


def _download(url: str, part: Path, report: Report) -> None:
    """Fetch the rest of a file into ``part``; begin anew where the file behind the address is another one by now."""
    tag = part.with_name(part.name + ".etag")
    have = part.stat().st_size if part.exists() and tag.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "dplass"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag.read_text(encoding="utf-8"))
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        total = (have if goes_on else 0) + int(length) if length else 0
        if etag := answer.headers.get("ETag"):
            tag.write_text(etag, encoding="utf-8")
        with open(part, "ab" if goes_on else "wb") as stream:
            while block := answer.read(_BLOCK):
                stream.write(block)
                report(stream.tell(), total)
            stream.flush()
            os.fsync(stream.fileno())
    if total and part.stat().st_size != total:
        raise EOFError(f"{part.stat().st_size} of {total} bytes arrived")
    tag.unlink(missing_ok=True)


class WeightsLock:
    """The hashes of fetched files, pinned when they were first fetched, in a file that the user keeps.

    Args:
        path: the lock file; need not be there yet.

    Raises:
        InputError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        path = self.path
        content: Any = read_json(path) if path.exists() else {"files": {}}
        files = content.get("files") if isinstance(content, dict) else None
        if not isinstance(files, dict) or not all(
            isinstance(entry, dict) and "sha256" in entry for entry in files.values()
        ):
            raise InputError(f"{path}: not a lock file of weights; restore it, or remove it to pin anew")
        return files

    def expected(self, name: str) -> str | None:
        """The pinned sha256 of a file, such as ``clap/model.pt``; None where it was never fetched."""
        return str(self.files[name]["sha256"]) if name in self.files else None

    def pin(self, name: str, sha256: str, size: int, source: str) -> None:
        """Keep the hash of a file that was fetched for the first time."""
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            self.files = {**self._read(), name: {"sha256": sha256, "size": size, "source": source}}
            write_json(self.path, {"files": dict(sorted(self.files.items()))})
