"""``validated``: as ``text``, but only adapters that beat the base on sounds that they were not trained on."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice, Requirement
from dplass_cli.separation.policies.text import TextPolicy


class ValidatedPolicy:
    """Takes the nearest domain's adapter where its cross-validated SDRi gain is above 0 dB, otherwise the base."""

    name = "validated"
    requires: frozenset[Requirement] = frozenset({"domains"})

    def choose(self, choice: Choice) -> str | None:
        """Return the key of the nearest domain's adapter, or None."""
        key = TextPolicy().choose(choice)
        return key if choice.bank.domains[key].sdri_gain_db > 0.0 else None
