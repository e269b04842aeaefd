"""Pick the domain's adapter where it gains on other clips: the policy ``validated``, cross-validated."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold

from tiny_models.selection_rules.base import AdapterOutputs, IntArray

SPLITS = 5


def by_validation(outputs: AdapterOutputs) -> IntArray:
    """The domain's adapter if its mean gain over the base is above 0 on the other four fifths of the clips."""
    gains = outputs.sdri - outputs.sdri[:, :1]
    picked = np.zeros(len(gains), dtype=np.int64)
    for fitted, chosen in GroupKFold(SPLITS).split(gains, groups=outputs.clips):
        for column in np.unique(outputs.by_text[chosen]):
            same_domain = fitted[outputs.by_text[fitted] == column]
            if len(same_domain) and gains[same_domain, column].mean() > 0.0:
                picked[chosen[outputs.by_text[chosen] == column]] = column
    return picked
