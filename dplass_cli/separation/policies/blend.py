"""``blend``: one forward under all adapters, each weighted by the probability of its domain."""

from __future__ import annotations

from collections.abc import Mapping

from dplass_cli.separation.policies.base import Choice


class BlendPolicy:
    """W + Σ pₖ·Δₖ: the adapters must be linear (``reconv``, ``lora``, ``dora``)."""

    name = "blend"
    uses_outputs = uses_reference = contrasts = False

    def choose(self, choice: Choice) -> Mapping[str, float]:
        """Return the calibrated probability of each domain.

        Raises:
            InputError: no bank with domains is loaded.
        """
        choice.texts.require(self.name)
        return choice.texts.probabilities(choice.query)
