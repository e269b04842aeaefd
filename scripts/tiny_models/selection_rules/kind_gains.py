"""Pick by the gains on other clips of the same kind of sound, drawn towards those of the kind's domain."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold

from tiny_models.selection_rules.base import AdapterOutputs, IntArray

SPLITS = 5
PRIOR = 8.0
"""How many mixtures of a kind weigh as much as what is known of its domain."""


def by_kind_gains(outputs: AdapterOutputs) -> IntArray:
    """The largest gain over the base that other clips of the kind and of its domain promise; the base if none does."""
    gains = outputs.sdri - outputs.sdri[:, :1]
    kinds = np.array(outputs.kinds)
    picked = np.zeros(len(gains), dtype=np.int64)
    for fitted, chosen in GroupKFold(SPLITS).split(gains, groups=outputs.clips):
        for row in chosen:
            domain = fitted[outputs.by_text[fitted] == outputs.by_text[row]]
            own = fitted[kinds[fitted] == kinds[row]]
            prior = gains[domain].sum(axis=0) / (len(domain) + PRIOR)  # which itself is drawn towards 0
            picked[row] = ((gains[own].sum(axis=0) + PRIOR * prior) / (len(own) + PRIOR)).argmax()
    return picked
