"""``single:k``: one adapter for every query."""

from __future__ import annotations

from collections.abc import Sequence

from dplass_cli.errors import InputError
from dplass_cli.separation.bank import bank_key
from dplass_cli.separation.policies.base import Choice


class SinglePolicy:
    """The adapter of domain k, or of the name k, whatever the query."""

    uses_outputs = uses_reference = contrasts = False

    def __init__(self, which: str) -> None:
        self.name = f"single:{which}"
        self._which = which

    def choose(self, choice: Choice) -> str | None:
        """Return the adapter's key.

        Raises:
            InputError: it is not loaded.
        """
        return single_key(self._which, choice.bank.keys)


def single_key(which: str, keys: Sequence[str]) -> str:
    """The key of the adapter of a name, or of a domain's number, among those loaded.

    Raises:
        InputError: it is not loaded.
    """
    key = bank_key(int(which)) if which.isdecimal() and which not in keys else which
    if key not in keys:
        raise InputError(f"--select single:{which}: no adapter {key!r} is loaded; loaded: {', '.join(keys) or 'none'}")
    return key
