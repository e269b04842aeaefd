"""``single:k``: one adapter for every query."""

from __future__ import annotations

from dplass_cli.errors import InputError, nearest
from dplass_cli.separation.bank import bank_key
from dplass_cli.separation.policies.base import Choice


class Single:
    """The adapter of domain k, or of the name k, whatever the query."""

    uses_outputs = uses_reference = False

    def __init__(self, which: str) -> None:
        self.name = f"single:{which}"
        self.key = bank_key(int(which)) if which.isdigit() else which

    def choose(self, choice: Choice) -> str | None:
        """Return the adapter's key.

        Raises:
            InputError: it is not loaded.
        """
        if self.key not in choice.bank.keys:
            raise InputError(
                f"--select {self.name}: no adapter {self.key!r} is loaded{nearest(self.key, choice.bank.keys)}"
            )
        return self.key
