"""Lists of captions for ``prepare generate``: ``caption`` or ``caption<TAB>name`` per line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.file_names import usable_name
from dplass_cli.storage import read_text, require_file

_LONGEST = 150  # bytes of a name that is made from a caption


@dataclass(frozen=True)
class ListedCaption:
    """A caption of a list.

    Attributes:
        number: its place in the list, from 0, without blank lines.
        caption: the sentence.
        name: what its files are called, without the number of the take and the suffix.
    """

    number: int
    caption: str
    name: str

    def file_name(self, take: int) -> str:
        """The name of the file of a take, from 1, such as ``a_dog_barking_1.wav``."""
        return usable_name(f"{self.name}_{take}.wav")


def read_captions(path: Path) -> list[ListedCaption]:
    """Read a list of captions; blank lines are skipped.

    Raises:
        InputError: there is no such file, it contains no caption, a line is malformed, or two captions have one name.
    """
    captions: list[ListedCaption] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(read_text(require_file(path, "list of captions")).splitlines(), start=1):
        if not line.strip():
            continue
        caption, *rest = (part.strip() for part in line.split("\t"))
        if not caption or len(rest) > 1:
            raise InputError(f"{path}: line {number}: expected caption or caption<TAB>name, not {line[:80]!r}")
        name = rest[0] if rest and rest[0] else _readable(caption)
        if not name or name in (".", "..") or set(name) & set("/\\\0"):
            raise InputError(f"{path}: line {number}: {name!r} is not a file name; write caption<TAB>name")
        first = lines.setdefault(name.casefold(), number)  # some file systems ignore case
        if first != number:
            raise InputError(
                f"{path}: line {number}: its files would have the name of line {first}, {name!r};"
                " write caption<TAB>name"
            )
        captions.append(ListedCaption(len(captions), caption, name))
    if not captions:
        raise InputError(f"{path}: contains no caption; write one per line")
    return captions


def _readable(caption: str) -> str:
    """The words of a caption, joined by underscores."""
    words = re.sub(r"\W+", "_", caption.lower()).encode()[:_LONGEST]
    return words.decode(errors="ignore").strip("_")
