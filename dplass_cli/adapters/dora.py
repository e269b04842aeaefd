"""DoRA: magnitude and direction of each kernel (Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Layer, LayerSettings
from dplass_cli.adapters.lora import LoRA


class DoRA(LoRA):
    """W′[o] = m[o] · V[o]/‖V[o]‖ for each output o, with V = W + alpha/rank · U·D (golden ``conv_dora_layout.json``).

    The gradient flows through the norm, as in DP-LASS. An untrained W′ equals W up to rounding.
    """

    method = "dora"
    published_tensors: ClassVar[Mapping[str, str]] = {"magnitude": "magnitude", **LoRA.published_tensors}

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__(layer, settings)
        self.magnitude = nn.Parameter(_norms(self.rows(layer.weight.detach()))[:, 0])

    def forward(self, weight: Tensor) -> Tensor:
        direction = self.rows(weight) + self.low_rank()
        return self.kernel_of(self.magnitude[:, None] * (direction / _norms(direction)), weight)


def _norms(rows: Tensor) -> Tensor:
    """Norms of the rows, (outputs, 1); clamped to a tiny positive value, so that zero rows can be divided by them."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return norms.clamp(min=torch.finfo(rows.dtype).tiny)
