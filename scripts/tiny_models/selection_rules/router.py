"""Pick by a learned router, which predicts each adapter's gain from the embeddings of query and mixture."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from tiny_models.selection_rules.base import AdapterOutputs, IntArray

SPLITS = 5
PENALTY = 3.0


def by_router(outputs: AdapterOutputs) -> IntArray:
    """The largest gain over the base that ridge regression predicts; the base where it predicts none.

    Five-fold cross-validation over the target clips.
    """
    inputs = np.concatenate([outputs.queries.numpy(), outputs.mixture_embeddings.numpy()], axis=1)
    gains = outputs.sdri - outputs.sdri[:, :1]
    picked = np.zeros(len(gains), dtype=np.int64)
    for fitted, chosen in GroupKFold(SPLITS).split(inputs, groups=outputs.clips):
        predicted = Ridge(alpha=PENALTY).fit(inputs[fitted], gains[fitted]).predict(inputs[chosen])
        predicted[:, 0] = 0.0
        picked[chosen] = predicted.argmax(axis=1)
    return picked
