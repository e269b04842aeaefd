"""Sizes in bytes as people write them: 500MB, 1GB."""

from __future__ import annotations

import re

from dplass_cli.errors import InputError, given

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([KMGT]?)B?", re.IGNORECASE)


def bytes_of(text: str, where: str) -> int:
    """The number of bytes of a size such as ``1GB`` (10⁹ bytes).

    Args:
        text: the size.
        where: the flag or variable that it was given with, for the message.

    Raises:
        InputError: not a size, or nothing.
    """
    match = _SIZE.fullmatch(text.strip())
    size = round(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise InputError(f"{given(where, text)}: expected a size such as 500MB or 1GB")
    return size
