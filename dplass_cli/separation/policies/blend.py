"""``blend``: one forward pass under all adapters, each weighted by the probability of its domain."""

from __future__ import annotations

from collections.abc import Mapping

from dplass_cli.separation.policies.base import Choice, Requirement


class BlendPolicy:
    """W + Σ pₖ·Δₖ over the domains k, with calibrated probabilities pₖ."""

    name = "blend"
    requires: frozenset[Requirement] = frozenset({"domains", "linear"})

    def choose(self, choice: Choice) -> Mapping[str, float]:
        """Return the calibrated probability of each domain."""
        return choice.texts.probabilities(choice.query)
