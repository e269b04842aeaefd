"""The table of known files (``metadata/weights.yaml``): their purpose, source and licence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.parse import from_mapping, parse_yaml
from dplass_cli.resources import resource
from dplass_cli.storage import read_text

OWN_NAME = "dplass-weights.yaml"
"""The table of a user's own entries, in the folder of fetched files."""

_NAME = re.compile(r"\w[\w.+,=-]*")  # names become folders and files: no path separators, not hidden


@dataclass(frozen=True)
class KnownFile:
    """A file of an entry.

    Attributes:
        path: its path within the source; the last part is its name on disk.
        size: bytes, possibly approximate; None if unknown.
        sha256: hash of its bytes; None if unknown, in which case it is pinned when the file is first fetched.
    """

    path: str
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.path!r} does not end in a file name")

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class WeightsEntry:
    """An entry of the table: files that belong together, from exactly one source.

    Attributes:
        what: the purpose of the files.
        licence: their licence, or a remark that none is stated.
        files: the files, with distinct names.
        hub: a repository of the Hugging Face Hub, such as ``lukewys/laion_clap`` or ``spaces/Audio-AGI/AudioSep``.
        revision: branch, tag or commit of that repository.
        url: the URL that the files' paths are appended to.
        drive: a folder of Google Drive, fetched by hand or with the extra ``drive``.
        note: remarks for the user, including what could not be verified.
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
            raise ValueError(f"url {self.url!r} is not an ASCII URL that starts with http:// or https://")
        if not self.files or len({file.name for file in self.files}) != len(self.files):
            raise ValueError("expected at least one file, and distinct file names")

    @property
    def source(self) -> str:
        """Where the files come from, for display."""
        return f"hf://{self.hub}@{self.revision}" if self.hub else self.url or self.drive or ""

    @property
    def unverified(self) -> tuple[str, ...]:
        """Names of files whose hash is not known before they are first fetched."""
        return tuple(file.name for file in self.files if file.sha256 is None)


def read_known_files(path: Path | None = None) -> dict[str, WeightsEntry]:
    """Read a table of known files, by default the shipped one: {name: entry}; InputError if it is not such a table."""
    path = path or resource("metadata/weights.yaml")
    content = parse_yaml(read_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a table of known files; expected sections 'name:'")
    for name, entry in content.items():
        if not _NAME.fullmatch(str(name)) or not isinstance(entry, dict):
            raise InputError(f"{path}: {name!r} is not an entry of known files; expected a plain name and a section")
    return {str(name): from_mapping(WeightsEntry, entry, f"{path}: {name}") for name, entry in content.items()}


def with_own_entries(folder: Path) -> dict[str, WeightsEntry]:
    """The shipped table, and the entries of the user's own one in the folder of fetched files (:data:`OWN_NAME`).

    Raises:
        InputError: the user's table is invalid, or has the name of a shipped entry.
    """
    shipped, path = read_known_files(), folder / OWN_NAME
    if not path.is_file():
        return shipped
    own = read_known_files(path)
    if taken := next((name for name in own if name in shipped), None):
        raise InputError(f"{path}: {taken}: is the name of a shipped entry; choose another one")
    return shipped | own


def select_entries(table: dict[str, WeightsEntry], names: Iterable[str]) -> dict[str, WeightsEntry]:
    """The entries with these names, each once, in their order; InputError if a name is unknown."""
    names = list(dict.fromkeys(names))
    for name in names:
        check_choice("", name, table)
    return {name: table[name] for name in names}


def published_hashes() -> dict[str, str]:
    """The hashes in the shipped table: {file name: sha256}."""
    files = (file for entry in read_known_files().values() for file in entry.files)
    return {file.name: file.sha256 for file in files if file.sha256 is not None}
