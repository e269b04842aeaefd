"""Passes of the network over a batch that several runs share.

A refined run begins with the output of a plain one, and two refined runs whose policies choose alike are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import torch
from torch import Tensor

from dplass_cli.separation.core import Prepared, Request, SeparationCore

PassKey = tuple[Hashable, ...]
"""Identifies the output of a pass: equal keys stand for equal outputs."""


class SharedPasses:
    """Separates a batch of mixtures; outputs that will be asked for again are kept, so that the network runs once.

    Args:
        core: runs the network.
        windows: the prepared windows of the batch.
    """

    def __init__(self, core: SeparationCore, windows: Sequence[Prepared]) -> None:
        self._core, self._windows = core, windows
        self._kept: dict[PassKey, list[Tensor]] = {}

    def separate(self, requests: Mapping[PassKey, Request], keep: Collection[PassKey] = ()) -> list[Tensor]:
        """Separate what is requested, except for what is kept from earlier calls.

        Args:
            requests: by their keys.
            keep: the keys of outputs that later calls will ask for.

        Returns:
            For each window float32 (R, C, n) of R requests, on the network's device.

        Raises:
            NonFiniteOutput: an output contains NaN or infinity.
        """
        missing = {key: request for key, request in requests.items() if key not in self._kept}
        computed = [self._core.separate(window, list(missing.values())) for window in self._windows]
        outputs = {key: [output[row] for output in computed] for row, key in enumerate(missing)}
        # Copies: a view would hold the outputs of the whole batch.
        self._kept |= {key: [part.clone() for part in outputs[key]] for key in missing if key in keep}
        outputs = self._kept | outputs
        return [torch.stack(parts) for parts in zip(*(outputs[key] for key in requests), strict=True)]
