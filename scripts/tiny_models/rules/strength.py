"""Adapters at a part of their strength: weights between the base's and those that were trained further."""

from __future__ import annotations

from dplass_cli.separation.policies import Choice
from dplass_cli.separation.policies.text import TextPolicy


class Partly:
    """The adapter of the nearest domain at a part of its strength: W + s·Δ."""

    uses_outputs = uses_reference = contrasts = False

    def __init__(self, strength: float) -> None:
        self.name, self._strength = f"text at {strength}", strength

    def choose(self, choice: Choice) -> dict[str, float]:
        """Return the weight of the domain's adapter."""
        return {TextPolicy().choose(choice): self._strength}


class Together:
    """All adapters for every query, their strengths adding up: W + s·ΣΔ/K."""

    uses_outputs = uses_reference = contrasts = False

    def __init__(self, strength: float) -> None:
        self.name, self._strength = f"all at {strength}", strength

    def choose(self, choice: Choice) -> dict[str, float]:
        """Return the weights of all adapters."""
        return dict.fromkeys(choice.bank.keys, self._strength / len(choice.bank.keys))
