"""Names of files: those that are not UTF-8, differ in how accents are encoded, or are reserved on Windows."""

from __future__ import annotations

import os
import re
import sys
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


def usable_name(name: str, platform: str = sys.platform) -> str:
    """A file name that the platform accepts, with its suffix; on Linux and macOS it is ``name``.

    Windows has characters that no name may contain (``a:b`` would be a stream of the file ``a``), ignores dots and
    blanks at the end, and reserves the names of devices, with any suffix.
    """
    if platform != "win32":
        return name
    name = _FORBIDDEN.sub("_", name)
    kept = name.rstrip(". ")
    name = kept + "_" * (len(name) - len(kept))
    return f"_{name}" if _DEVICE.fullmatch(name.partition(".")[0].rstrip()) else name


_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICE = re.compile(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]", re.IGNORECASE)


def longest_name(folder: Path, platform: str = sys.platform) -> int:
    """How many bytes a file name in a folder may have: 255, or what Windows' limit of 259 for paths leaves."""
    return min(255, 258 - len(os.path.abspath(folder))) if platform == "win32" else 255


def with_slashes(path: str, separator: str = os.sep) -> str:
    """The path with ``/`` between its folders, which Windows accepts too."""
    return path if separator == "/" else path.replace(separator, "/")
