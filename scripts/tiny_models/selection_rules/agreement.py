"""Pick the output that agrees most with the others: the adapters' errors differ, the target does not."""

from __future__ import annotations

from tiny_models.selection_rules.base import AdapterOutputs, IntArray


def by_agreement(outputs: AdapterOutputs) -> IntArray:
    """The largest mean of cosines between an output's waveform and all outputs', the base's included."""
    picked: IntArray = outputs.agreement().argmax(dim=1).numpy()
    return picked
