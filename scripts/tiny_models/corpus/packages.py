"""Download packages by their ordinary clients, and unpack them without installing them."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


class GoneError(Exception):
    """A package is no longer available."""


@dataclass(frozen=True)
class Unpacked:
    """An unpacked package.

    Attributes:
        root: folder of its files.
        version: its version.
    """

    root: Path
    version: str


@contextmanager
def unpacked(registry: str, package: str, version: str, cache: Path) -> Iterator[Unpacked]:
    """A package's files in a temporary folder.

    Args:
        registry: "debian" or "pypi".
        package: name of the package.
        version: the wanted version, or "" for any. Another one is used if the package no longer has it.
        cache: folder of downloads; a package that is already there isn't downloaded again.

    Raises:
        GoneError: the package can't be downloaded.
    """
    archive = _find(package, cache) or _download(registry, package, version, cache)
    with TemporaryDirectory(dir=cache) as folder:
        if archive.suffix == ".deb":
            subprocess.run(["dpkg-deb", "--extract", str(archive), folder], check=True)
            found = subprocess.run(
                ["dpkg-deb", "--field", str(archive), "Version"], check=True, capture_output=True, text=True
            ).stdout.strip()
        else:
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(folder)
            found = archive.name.split("-")[1]
        yield Unpacked(Path(folder), found)


def _find(package: str, cache: Path) -> Path | None:
    """A package that was downloaded before."""
    found = [*cache.glob(f"{package}_*.deb"), *cache.glob(f"{package.replace('-', '_')}-*.whl")]
    return found[0] if found else None


def _download(registry: str, package: str, version: str, cache: Path) -> Path:
    if registry == "pypi":
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        attempts = [[*pip, f"{package}=={version}"], [*pip, package]]
    else:
        attempts = [["apt-get", "download", f"{package}={version}"], ["apt-get", "download", package]]
    for attempt in attempts if version else attempts[1:]:
        run = subprocess.run(attempt, cwd=cache, capture_output=True, text=True, check=False)
        archive = _find(package, cache)
        if run.returncode == 0 and archive:
            return archive
    raise GoneError(f"{package}: {_last_line(run.stderr)}")


def _last_line(text: str) -> str:
    """The last line of a program's messages, without addresses."""
    lines = text.strip().splitlines() or ["no message"]
    return re.sub(r"\w+://\S+", "", lines[-1]).strip()


def unpack_tools(names: Iterable[str], cache: Path) -> Path:
    """Unpack Debian programs, together with what they need and the system lacks.

    Returns:
        The folder that stands for the root of the file system.

    Raises:
        GoneError: a program can't be downloaded.
    """
    root = cache / "tools"
    for name in names:
        if (root / "usr/share/doc" / name).exists():
            continue
        plan = ["apt-get", "install", "--simulate", "--no-install-recommends", name]
        run = subprocess.run(plan, capture_output=True, text=True, check=False)
        if run.returncode:
            raise GoneError(f"{name}: {_last_line(run.stderr)}")
        needed = re.findall(r"^Inst (\S+)", run.stdout, re.MULTILINE)
        for package in {name, *needed}:  # without the name itself if it is installed
            archive = _find(package, cache) or _download("debian", package, "", cache)
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(root)], check=True)
    return root
