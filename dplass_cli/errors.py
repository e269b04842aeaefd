"""Errors that are meant for the user; the command line prints each as one line.

Any other exception that escapes (``AssertionError``, ``TypeError`` …) is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import reprlib
from collections.abc import Iterable

_PATH_ERRORS = {
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EROFS),
    *(errno.EIO, errno.ESTALE),
}


class DplassError(Exception):
    """Base class of all errors with a message for the user: where, what is wrong, and what to do."""

    exit_code = 1


class InputError(DplassError, ValueError):
    """Invalid input: an option, a file or a value. Exit code 2."""

    exit_code = 2


class InvalidValue(InputError):
    """A value of an option that is not allowed.

    Attributes:
        key: the option: a field, or ``section.field``.
        value: what was given.
        expected: what would have been right, after "must be".
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{given(key, value)}: must be {expected}")
        self.key, self.value, self.expected = key, value, expected


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


def path_error(error: OSError) -> InputError:
    """What the system says of a path that cannot be looked at; any other error is raised again.

    Reading and writing raise errors with a message of their own.
    """
    if error.filename is None or error.errno not in _PATH_ERRORS:
        raise error
    return InputError(f"{one_line(str(error.filename))}: {error.strerror}; check the path and its permissions")


class _Shown(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200
        self.maxdict = self.maxlist = self.maxtuple = 12

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"


shown = _Shown().repr
"""Like ``repr``, but short however large or nested the value is; for quoting values from files in messages."""


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Suggest the known word most similar to ``word``, as ``"; did you mean 'x'?"``; list them if none is similar.

    Args:
        word: what was given.
        known: what would have been right.
        prefix: precedes the words in the message only, such as ``train.`` for the options of that section.
    """
    known = sorted(known)
    listed = f"; known: {some((prefix + name for name in known), _MOST_LISTED)}" if known else ""
    return similar(word, known, prefix) or listed


def similar(word: object, known: Iterable[str], prefix: str = "") -> str:
    """Suggest the most similar known word like :func:`nearest`; nothing if none is similar."""
    by_lowercase = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lowercase, n=1, cutoff=0.5) if isinstance(word, str) else []
    return f"; did you mean {prefix + by_lowercase[close[0]]!r}?" if close else ""


def check_choice(where: str, value: object, known: Iterable[str]) -> None:
    """Check that a value is one of a few words.

    Args:
        where: the flag or key that it was given with, or nothing.
        value: what was given.
        known: the words.

    Raises:
        InputError: it is not one of them; the message lists them and suggests the most similar one.
    """
    words = list(known)
    if value not in words:
        listed = some(words, _MOST_LISTED)
        raise InputError(f"{given(where, value)}: must be one of {listed}{similar(value, words)}")


def given(where: str, value: object) -> str:
    """A value as it was given: ``--limit -1``, ``--set steps=0``, or ``config.yaml: steps 0``."""
    between = "=" if where.startswith("--set ") else " "
    return f"{where}{between}{quoted(value)}".strip()


def quoted(value: object) -> str:
    """A value as a message shows it after its flag: a word as it was typed, anything else as :data:`shown`."""
    return value if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_WORD else shown(value)


_MOST_LISTED, _LONGEST_WORD = 20, 100


def some(items: Iterable[object], limit: int = 5) -> str:
    """Join the first ``limit`` items with commas, followed by the number of remaining ones."""
    items = list(items)
    text = ", ".join(str(item) for item in items[:limit])
    return f"{text} and {len(items) - limit} more" if len(items) > limit else text
