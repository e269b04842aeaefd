"""ReConv: a full-size convolution beside each frozen one, scaled by alpha / (kh·kw·rank), as DP-LASS publishes it.

Both convolutions see the same input, so they are one convolution with the weight W + scale·A.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Layer, LayerSettings, WeightAdapter


class ReConv(WeightAdapter):
    """W′ = W + scale·A with A of W's shape, zero at first; the rank only divides (golden ``reconv_layout.json``)."""

    method = "reconv"
    published_tensors: ClassVar[Mapping[str, str]] = {"kernel": "lora_adapter.weight"}

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__(layer, settings)
        self.kernel = nn.Parameter(torch.zeros_like(layer.weight))
        area = layer.weight.shape[2:].numel()  # kh·kw; 1 for a linear map
        self.scale = settings.alpha / (area * settings.rank)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * self.kernel
