"""The output that sounds most like the query, the base's among them (the policy ``audio`` leaves the base out)."""

from __future__ import annotations

from tiny_models.rules.base import IntArray, Tried


def by_likeness(tried: Tried) -> IntArray:
    """The largest cosine of the output's embedding with the query's."""
    cosines = (tried.output_embeddings * tried.queries[:, None]).sum(dim=-1)
    picked: IntArray = cosines.argmax(dim=1).numpy()
    return picked
