"""``audio``: run every adapter and listen which output is most like the query."""

from __future__ import annotations

from dplass_cli.errors import InputError
from dplass_cli.separation.policies.base import Choice


class AudioPolicy:
    """Of the adapters' outputs, the one whose audio embedding is nearest the query's. Needs no true source."""

    name = "audio"
    uses_outputs, uses_reference, contrasts = True, False, False

    def choose(self, choice: Choice) -> str:
        """Return the key with the largest similarity; the first of equal ones.

        Raises:
            InputError: no adapters are loaded.
        """
        if not choice.similarities:
            raise InputError("--select audio: needs adapters; give --adapters BANK")
        return max(choice.similarities, key=choice.similarities.__getitem__)
