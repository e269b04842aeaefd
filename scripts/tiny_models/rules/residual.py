"""The output that leaves least: an adapter of the wrong domain hears little of its own in the mixture."""

from __future__ import annotations

from tiny_models.rules.base import IntArray, Tried


def by_residual(tried: Tried) -> IntArray:
    """The least energy of mixture minus output, of adapters and base."""
    picked: IntArray = (tried.mixtures[:, None] - tried.outputs).square().sum(dim=-1).argmin(dim=1).numpy()
    return picked
