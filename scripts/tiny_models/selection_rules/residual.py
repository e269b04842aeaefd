"""Pick the output with the smallest residual: an adapter of the wrong domain extracts little of the mixture."""

from __future__ import annotations

from tiny_models.selection_rules.base import MIXTURE, AdapterOutputs, IntArray


def by_residual(outputs: AdapterOutputs) -> IntArray:
    """The least energy of the mixture minus the output, the base's included."""
    picked: IntArray = outputs.distances(MIXTURE).argmin(dim=1).numpy()
    return picked
