"""Pick what was best in other mixtures with the same target clip: what a choice could gain that knew the target."""

from __future__ import annotations

import numpy as np

from tiny_models.selection_rules.base import AdapterOutputs, IntArray


def by_same_target(outputs: AdapterOutputs) -> IntArray:
    """The largest mean gain over the base in the other mixtures of the same clip; the domain's adapter without any.

    No rule that looks at query and recording knows as much about the target. The oracle gains more only because it
    also knows the interference, and picks the best of noisy results after the fact.
    """
    gains = outputs.sdri - outputs.sdri[:, :1]
    clips = np.array(outputs.clips)
    picked = outputs.by_text.copy()
    for row, clip in enumerate(clips):
        others = np.flatnonzero((clips == clip) & (np.arange(len(clips)) != row))
        if len(others):
            picked[row] = gains[others].mean(axis=0).argmax()
    return picked
