"""HTTP downloads that are retried, resumed by this or a later run, and never leave a partial file in place.

huggingface_hub is used for URLs and credentials only: since version 2 it deletes a partially downloaded file when it is
interrupted, which is too costly for files of several gigabytes.
"""

from __future__ import annotations

import http.client
import logging
import re
import shutil
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import certifi

from dplass_cli.errors import RunError
from dplass_cli.storage import Progress, make_folder, text_sha256, writing_to
from dplass_cli.versions import __version__

_log = logging.getLogger(__name__)

TRIES = 4  # consecutive attempts without progress
FIRST_WAIT = 1.0  # seconds, doubled at each further attempt
TIMEOUT = 30.0  # seconds without data
CHUNK = 1 << 20
AGENT = f"dplass/{__version__}"
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class _Interrupted(Exception):
    """An attempt failed in a way that may succeed when repeated."""


class _Redirects(HTTPRedirectHandler):
    """Follows redirects; drops credentials when the host changes, and keeps the Hub's hash of the content."""

    linked_etag: str | None = None

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        self.linked_etag = self.linked_etag or headers.get("X-Linked-Etag")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            following.remove_header("Authorization")
        return following


def download(url: str, folder: Path, name: str, headers: Mapping[str, str], progress: Progress) -> Path:
    """Download a file into ``folder`` under a temporary name, and return the path of the complete file.

    The partial file of an earlier run is resumed if the server still has the same content, judged by its strong ETag.
    An ``Authorization`` header is sent only to the host of ``url``. Progress is in megabytes.

    Raises:
        InputError: the folder cannot be created.
        RunError: the server refuses or cannot be reached, or writing failed; partial content is kept.
    """
    make_folder(folder)
    attempts = 0
    while True:
        before = _partial_size(folder, name)
        try:
            return _attempt(url, folder, name, headers, progress)
        except _Interrupted as stop:
            attempts = 1 if _partial_size(folder, name) > before else attempts + 1
            if attempts == TRIES:
                raise RunError(f"{url}: {stop}; check the connection and run again to resume") from stop
            _log.info("%s: %s; trying again", url, stop)
            time.sleep(FIRST_WAIT * 2 ** (attempts - 1))


def _parts(folder: Path, name: str) -> list[Path]:
    """The resumable partial files: NAME.<hash of URL and ETag>-<complete size>.part."""
    return [path for path in folder.iterdir() if re.fullmatch(re.escape(name) + r"\.[0-9a-f]{16}-\d+\.part", path.name)]


def _partial_size(folder: Path, name: str) -> int:
    return max((part.stat().st_size for part in _parts(folder, name)), default=0)


def _attempt(url: str, folder: Path, name: str, headers: Mapping[str, str], progress: Progress) -> Path:
    part = next(iter(_parts(folder, name)), None)
    start = part.stat().st_size if part else 0
    if part and start == int(part.stem.rpartition("-")[2]):
        return part
    redirects = _Redirects()
    request = Request(url, headers={**headers, "Accept-Encoding": "identity", "User-Agent": AGENT})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = build_opener(redirects, HTTPSHandler(context=_certificates())).open(request, timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and part:
                part.unlink()
            raise _http_error(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_reason(error)) from error
    with response:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise RunError(f"{url}: the server sends it compressed, which was not requested; download it by hand")
        resumed = response.status == 206
        total = _total(response, start)
        if total is None and not resumed and response.headers.get("Transfer-Encoding") != "chunked":
            raise RunError(f"{url}: the server does not say how large the file is; download it by hand")
        target = folder / _part_name(url, name, redirects.linked_etag or response.headers.get("ETag"), total)
        if target != part:
            for old in _parts(folder, name):
                old.unlink()
            if resumed:
                raise _Interrupted("the file changed on the server")
        _save(response, target, start if resumed else 0, total, progress, name)
    return target


def _certificates() -> ssl.SSLContext:
    """The system's certificates and certifi's, since some Python installations find none of their own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _total(response: Any, start: int) -> int | None:
    """The size of the complete file; None if the server does not say, or sends a range that was not requested."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return int(match[2]) if match and int(match[1]) == start else None
    length = response.headers.get("Content-Length")
    return int(length) if length and length.isdecimal() else None


def _part_name(url: str, name: str, etag: str | None, total: int | None) -> str:
    if not etag or etag.startswith("W/") or total is None:
        return f"{name}.once"  # without these, a later run could not tell whether the rest belongs to it
    return f"{name}.{text_sha256(f'{url} {etag}')[:16]}-{total}.part"


def _save(response: Any, target: Path, start: int, total: int | None, progress: Progress, name: str) -> None:
    """Write the response to ``target``, appending if ``start`` bytes are there already."""
    free = shutil.disk_usage(target.parent).free
    if total is not None and total - start > free:
        raise RunError(f"{target.parent}: {name} needs {total - start:,} more bytes, {free:,} are free; free space")
    done = start
    with writing_to(target), open(target, "ab" if start else "wb") as stream:
        while chunk := _read(response):
            stream.write(chunk)
            done += len(chunk)
            progress(done // 10**6, max(total or done, 10**6) // 10**6, f"{name}, MB")
    if total is not None and done != total:
        raise _Interrupted(f"the connection was cut at {done:,} of {total:,} bytes")


def _read(response: Any) -> bytes:
    try:
        data: bytes = response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(f"the connection was cut ({_reason(error)})") from error
    return data


def _http_error(url: str, error: HTTPError) -> Exception:
    detail = error.headers.get("X-Error-Message") or error.reason
    reason = f"the server answers {error.code} ({detail})"
    if error.code in _TRANSIENT or error.code == 416:
        return _Interrupted(reason)
    if error.code in (401, 403):
        return RunError(f"{url}: {reason}; if it needs a Hugging Face account, set HF_TOKEN and run again")
    return RunError(f"{url}: {reason}; the file may have moved: download it by hand")


def _reason(error: Exception) -> str:
    return str(error.reason if isinstance(error, URLError) else error) or type(error).__name__
