"""ReConv: a full-size convolution beside each frozen one, scaled by alpha / (kh·kw·rank), as DP-LASS publishes it.

Both convolutions see the same input, so they are one convolution with the weight W + scale·A.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Adapter


class ReConv(Adapter):
    """W′ = W + scale·A with A of W's shape, zero at first; the rank only divides (golden ``reconv_layout.json``)."""

    method = "reconv"
    linear = True

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        nn.Module.__init__(self)
        self.kernel = nn.Parameter(torch.zeros_like(weight))
        self.scale = alpha / (weight.shape[2] * weight.shape[3] * rank)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * self.kernel
