"""Errors that are meant for the user; the command line prints each as one line.

Any other exception that escapes (``AssertionError``, ``TypeError`` …) is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Iterable


class DplassError(Exception):
    """Base class of all errors with a message for the user: where, what is wrong, and what to do."""

    exit_code = 1


class InputError(DplassError, ValueError):
    """Invalid input: an option, a file or a value. Exit code 2."""

    exit_code = 2


class RunError(DplassError, RuntimeError):
    """The input is valid, but the run could not continue (disk full, loss not finite …). Exit code 1."""

    exit_code = 1


_MAX_LENGTH = 4000


def one_line(text: str) -> str:
    """Return a message as one line of at most 4,000 characters, whatever text from a file it quotes.

    Characters that are not printable, such as terminal escapes, are replaced by their Python escapes.
    """
    if len(text) > 4 * _MAX_LENGTH:
        text = f"{text[: 2 * _MAX_LENGTH]} … {text[-2 * _MAX_LENGTH :]}"
    plain = " ".join(text.split())
    if not plain.isprintable():
        plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in plain)
    return plain if len(plain) <= _MAX_LENGTH else f"{plain[: _MAX_LENGTH // 2]} … {plain[3 - _MAX_LENGTH // 2 :]}"


def first_line(error: BaseException) -> str:
    """The first line of another library's error, at most 120 characters, to quote in a message."""
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__


class _Shown(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200
        self.maxdict = self.maxlist = self.maxtuple = 12

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"


shown = _Shown().repr
"""Like ``repr``, but short however large or nested the value is; for quoting values from files in messages."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word most similar to ``word``, as ``"; did you mean 'x'?"``; list all if none is similar."""
    known = sorted(known)
    by_lowercase = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lowercase, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {by_lowercase[close[0]]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def check_choice(flag: str, value: str, known: Collection[str]) -> None:
    """Check the value of a flag that takes one of a few words.

    Raises:
        InputError: the value is not one of ``known``.
    """
    if value not in known:
        raise InputError(f"{flag} {value}: must be one of {', '.join(known)}")


def some(items: Iterable[object], limit: int = 5) -> str:
    """Join the first ``limit`` items with commas, followed by the number of remaining ones."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text
