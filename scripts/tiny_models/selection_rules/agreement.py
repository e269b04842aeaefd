"""Pick the output that agrees most with the others: the adapters' errors differ, the target does not."""

from __future__ import annotations

from torch.nn import functional as F

from tiny_models.selection_rules.base import AdapterOutputs, IntArray


def by_agreement(outputs: AdapterOutputs) -> IntArray:
    """The largest sum of cosines between an output's waveform and all outputs', the base's included."""
    unit = F.normalize(outputs.outputs, dim=-1)
    picked: IntArray = (unit @ unit.transpose(1, 2)).sum(dim=-1).argmax(dim=1).numpy()
    return picked
