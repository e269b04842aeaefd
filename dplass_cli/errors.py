"""The errors that the package raises for a user's sake; the command line turns each into one line.

Everything else that escapes (``AssertionError``, ``TypeError`` …) is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable


class DplassError(Exception):
    """Base of all errors that have a message for the user: what is wrong, where, what to do."""

    exit_code = 1


class InputError(DplassError, ValueError):
    """Something the user gave is wrong: an option, a file, a value. Exit code 2."""

    exit_code = 2


class RunError(DplassError, RuntimeError):
    """The input was right, but the run could not go on (disk full, loss not finite …). Exit code 1."""

    exit_code = 1


_LONGEST = 4000


def one_line(text: str) -> str:
    """A message on one line of at most 4,000 characters, whatever a file put into it.

    Signs that no one sees, such as those that steer a terminal, are spelt out.
    """
    if len(text) > 4 * _LONGEST:
        text = f"{text[: 2 * _LONGEST]} … {text[-2 * _LONGEST :]}"
    plain = " ".join(text.split())
    if not plain.isprintable():
        plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in plain)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST // 2]} … {plain[3 - _LONGEST // 2 :]}"


def first_line(error: BaseException) -> str:
    """What another library's error says, for a message of ours: at most 120 characters of its first line."""
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__


class _Shown(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200
        self.maxdict = self.maxlist = self.maxtuple = 12

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() < 256 else f"a number of {value.bit_length()} bits"


shown = _Shown().repr
"""A value from a file as an error shows it: ``repr``, but short, however large or tangled the value is."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known word most like ``word``, or the list of known words."""
    known = sorted(known)
    spelt = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {spelt[close[0]]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def some(items: Iterable[object], limit: int = 5) -> str:
    """Join the first ``limit`` items with commas and say how many more there are."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text
