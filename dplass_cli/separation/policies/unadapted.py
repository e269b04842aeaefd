"""``base``: no adapter."""

from __future__ import annotations

from dplass_cli.separation.policies.base import Choice


class BasePolicy:
    """The base model for every query."""

    name = "base"
    uses_outputs = uses_reference = contrasts = False

    def choose(self, choice: Choice) -> str | None:
        """Return None."""
        return None
