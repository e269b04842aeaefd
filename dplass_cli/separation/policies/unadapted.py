"""``base``: no adapter."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice, Requirement


class BasePolicy:
    """The base model for every query."""

    name = "base"
    requires: frozenset[Requirement] = frozenset()

    def choose(self, choice: Choice) -> None:
        """Return None: the base alone."""
        return None
