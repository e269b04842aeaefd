"""Policies that scale adapters: weights between the base's and the adapted ones."""

from __future__ import annotations

from dplass_cli.separation.policies import Choice, Requirement
from dplass_cli.separation.policies.built_in import TextPolicy


class ScaledAdapter:
    """The adapter of the nearest domain, scaled: W + s·Δ."""

    requires: frozenset[Requirement] = frozenset({"domains", "linear"})

    def __init__(self, strength: float) -> None:
        self.name, self._strength = f"text at {strength}", strength

    def choose(self, choice: Choice) -> dict[str, float]:
        """Return the weight of the domain's adapter."""
        return {TextPolicy().choose(choice): self._strength}


class AllAdapters:
    """The scaled mean of all adapters for every query: W + s·ΣΔ/K."""

    requires: frozenset[Requirement] = frozenset({"domains", "linear"})

    def __init__(self, strength: float) -> None:
        self.name, self._strength = f"all at {strength}", strength

    def choose(self, choice: Choice) -> dict[str, float]:
        """Return the weights of all adapters."""
        return dict.fromkeys(choice.bank.keys, self._strength / len(choice.bank.keys))
