"""The table of known files (``metadata/weights.yaml``): what they are for, where they lie, under which licence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dplass_cli.errors import InputError, nearest
from dplass_cli.options.parse import from_mapping, parse_yaml
from dplass_cli.resources import resource
from dplass_cli.storage import read_text

_NAME = re.compile(r"\w[\w.+-]*")  # names become folders and files: no separators, nothing hidden


@dataclass(frozen=True)
class KnownFile:
    """A file of a row.

    Attributes:
        path: where it lies in its source; the last part is its name on disk.
        size: bytes, or about so many; None where unknown.
        sha256: of its bytes; None where unknown, then it is pinned when first fetched.
    """

    path: str
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.path!r} does not end in the name of a file")

    @property
    def name(self) -> str:
        """Its name on disk."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Known:
    """A row of the table: files that go together, from exactly one source.

    Attributes:
        what: what they are for.
        licence: their licence, or that none is stated.
        files: the files.
        hub: a repository of the Hugging Face Hub, such as ``lukewys/laion_clap`` or ``spaces/Audio-AGI/AudioSep``.
        revision: branch, tag or commit of that repository.
        url: the address that the files' paths are appended to.
        drive: a folder of Google Drive, fetched by hand or with the extra ``drive``.
        note: what a user should know, and what could not be verified.
    """

    what: str
    licence: str
    files: tuple[KnownFile, ...]
    hub: str | None = None
    revision: str = "main"
    url: str | None = None
    drive: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if [self.hub, self.url, self.drive].count(None) != 2:
            raise ValueError("expected one source: hub, url or drive")
        if self.url is not None and not (self.url.isascii() and re.match(r"https?://[^/\s]+", self.url)):
            raise ValueError(f"url {self.url!r} is no address of ASCII that begins with http:// or https://")
        if not self.files or len({file.name for file in self.files}) != len(self.files):
            raise ValueError("expected files, each with a name of its own")

    @property
    def source(self) -> str:
        """Where the files come from, for people."""
        return f"hf://{self.hub}@{self.revision}" if self.hub else self.url or self.drive or ""


def read_table(path: Path | None = None) -> dict[str, Known]:
    """Read a table of known files, the shipped one by default: {name: row}.

    Raises:
        InputError: the file is missing, not YAML, or not such a table.
    """
    path = path or resource("metadata/weights.yaml")
    content = parse_yaml(read_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a table of known files; expected 'name:' sections")
    for name, row in content.items():
        if not _NAME.fullmatch(str(name)) or not isinstance(row, dict):
            raise InputError(f"{path}: {name!r} is not a row of known files; expected a plain name and a section")
    return {str(name): from_mapping(Known, row, f"{path}: {name}") for name, row in content.items()}


def chosen(table: dict[str, Known], names: Iterable[str]) -> dict[str, Known]:
    """Return the rows of these names, each once.

    Raises:
        InputError: a name is not in the table.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in table:
            raise InputError(f"{name}: not a known file{nearest(name, table)}")
    return {name: table[name] for name in names}


def home() -> Path:
    """The folder of fetched files: ``$DPLASS_HOME``, else ``~/.cache/dplass``."""
    return Path(os.environ.get("DPLASS_HOME") or Path.home() / ".cache" / "dplass")
