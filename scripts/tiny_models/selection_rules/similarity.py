"""Pick the output most similar to the query, the base's included; the policy ``audio`` leaves the base out."""

from __future__ import annotations

from tiny_models.selection_rules.base import AdapterOutputs, IntArray


def by_similarity(outputs: AdapterOutputs) -> IntArray:
    """The largest cosine of the output's embedding with the query's."""
    cosines = (outputs.output_embeddings * outputs.queries[:, None]).sum(dim=-1)
    picked: IntArray = cosines.argmax(dim=1).numpy()
    return picked
