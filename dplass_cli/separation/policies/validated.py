"""``proven``: as ``text``, but only adapters that did better than the base on sounds they were not trained on."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice
from dplass_cli.separation.policies.text import TextPolicy


class ValidatedPolicy:
    """The domain's adapter where its cross-validated gain over the base is above 0, else the base."""

    name = "proven"
    uses_outputs = uses_reference = contrasts = False

    def choose(self, choice: Choice) -> str | None:
        """Return the key of the adapter of the nearest domain, or None.

        Raises:
            InputError: no bank with domains is loaded.
        """
        key = TextPolicy().choose(choice)
        return key if choice.bank.domains[key].gain_db > 0.0 else None
