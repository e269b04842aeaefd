"""Pick by a learned selector, which predicts each adapter's gain from what can be seen of its output."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold

from tiny_models.selection_rules.base import BASE, MIXTURE, AdapterOutputs, IntArray

SPLITS = 5
SILENCE = 1e-9


def by_selector(outputs: AdapterOutputs) -> IntArray:
    """The largest gain over the base that boosted trees predict; the base where they predict none.

    Five-fold cross-validation over the target clips.
    """
    seen = features(outputs)
    gains = outputs.sdri[:, 1:] - outputs.sdri[:, :1]
    picked = np.zeros(len(gains), dtype=np.int64)
    for fitted, chosen in GroupKFold(SPLITS).split(gains, groups=outputs.clips):
        trees = HistGradientBoostingRegressor(
            learning_rate=0.05, max_iter=100, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=10.0
        )
        trees.fit(seen[fitted].reshape(-1, seen.shape[-1]), gains[fitted].reshape(-1))
        predicted = trees.predict(seen[chosen].reshape(-1, seen.shape[-1])).reshape(len(chosen), -1)
        best = predicted.argmax(axis=1)
        picked[chosen] = np.where(predicted.max(axis=1) > 0.0, 1 + best, 0)
    return picked


def features(outputs: AdapterOutputs) -> npt.NDArray[np.float64]:
    """What can be seen of each adapter's output, float64 (N, K, F).

    Which adapter it is, whether its domain is the query's, the query's probability of the domain; the similarity of
    query and output, of query and residual, and both relative to the base's; the level of the change from the base's
    output relative to the mixture, in dB; the mean agreement with all other outputs, also relative to the base's.

    The levels of the outputs themselves are left out: the targets of these mixtures all have the same level, which is
    what a selector would learn.
    """
    count, columns = outputs.sdri.shape
    similar = (outputs.output_embeddings * outputs.queries[:, None]).sum(dim=-1).numpy()
    remaining = (outputs.residual_embeddings * outputs.queries[:, None]).sum(dim=-1).numpy()
    mixture = outputs.products[:, MIXTURE, MIXTURE, None]
    changes = (10 * (outputs.distances(BASE) / (mixture + SILENCE) + SILENCE).log10()).numpy()
    agreement = outputs.agreement().numpy()
    adapter = np.broadcast_to(np.arange(1, columns), (count, columns - 1))
    parts = (
        adapter,
        adapter == outputs.by_text[:, None],
        outputs.probabilities.numpy(),
        *(of[:, 1:] for of in (similar, remaining, changes, agreement)),
        *(of[:, 1:] - of[:, :1] for of in (similar, remaining, agreement)),
    )
    return np.stack([np.asarray(part, dtype=np.float64) for part in parts], axis=-1)
