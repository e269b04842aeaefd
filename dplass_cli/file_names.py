"""Names of files, which are bytes: those that are not UTF-8, and those that differ in how accents are encoded."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path


def is_text(text: str) -> bool:
    """Whether a string can be encoded: names of files may have bytes that are not UTF-8, as lone surrogates."""
    return text.isascii() or not _SURROGATE.search(text)


_SURROGATE = re.compile("[\ud800-\udfff]")


def existing_path(path: Path) -> Path:
    """The path, or one that differs only in how its accents are encoded, if only that exists.

    "é" is one character in Unicode's form NFC, and two in NFD, as macOS and some archives write it. Linux keeps them
    apart, so that a table made on one system names a file that the other does not find.
    """
    text = str(path)
    if text.isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        found /= next((form for form in forms if os.path.lexists(found / form)), part)
    return found
