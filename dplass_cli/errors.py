"""The errors that the package raises for a user's sake; the command line turns each into one line.

Everything else that escapes (``AssertionError``, ``TypeError`` …) is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
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


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known word most like ``word``, or the list of known words."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def some(items: Iterable[object], limit: int = 5) -> str:
    """Join the first ``limit`` items with commas and say how many more there are."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text
