"""ReConv: a full-size convolution in parallel to each frozen one, scaled by alpha / (kh·kw·rank), as in DP-LASS.

Both convolutions have the same input, so together they are one convolution with the weight W + scale·A.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Layer, LayerSettings, WeightAdapter


class ReConv(WeightAdapter):
    """W′ = W + scale·A with A of W's shape, initially zero; the rank only divides (golden ``reconv_layout.json``)."""

    method = "reconv"
    published_tensors: ClassVar[Mapping[str, str]] = {"kernel": "lora_adapter.weight"}
    published_layers: ClassVar[tuple[type[Layer], ...]] = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__(layer, settings)
        self.kernel = nn.Parameter(torch.zeros_like(layer.weight))
        area = layer.weight.shape[2:].numel()  # kh·kw; 1 for a linear map
        self.scale = settings.alpha / (area * settings.rank)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * self.kernel
