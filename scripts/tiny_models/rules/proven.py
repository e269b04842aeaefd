"""The domain's adapter where it has gained on other clips: the policy ``proven``, on clips it was not told of."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold

from tiny_models.rules.base import IntArray, Tried

PARTS = 5


def by_proof(tried: Tried) -> IntArray:
    """The domain's adapter if its mean gain over the base, on the other four fifths of the clips, is above 0."""
    gains = tried.sdri - tried.sdri[:, :1]
    picked = np.zeros(len(gains), dtype=np.int64)
    for known, asked in GroupKFold(PARTS).split(gains, groups=tried.clips):
        for column in np.unique(tried.named[asked]):
            alike = known[tried.named[known] == column]
            if len(alike) and gains[alike, column].mean() > 0.0:
                picked[asked[tried.named[asked] == column]] = column
    return picked
