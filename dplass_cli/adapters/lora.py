"""LoRA over the flattened kernel (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Layer, LayerSettings, WeightAdapter


class LoRA(WeightAdapter):
    """W′ = W + alpha/rank · U·D with U (outputs, rank) and D (rank, inputs·kh·kw) (golden ``conv_lora_layout.json``).

    U is initialised with a normal distribution of standard deviation 1/√rank, D with zeros, as in DP-LASS.
    """

    method = "lora"
    published_tensors: ClassVar[Mapping[str, str]] = {"up": "lora_A", "down": "lora_B"}
    published_frozen_copy = True

    @classmethod
    def settings_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        return {"rank": tensors["up"].shape[1]} if "up" in tensors else {"rank": 0}

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__(layer, settings)
        rows = self.rows(layer.weight.detach())
        self.up = nn.Parameter(rows.new_empty(rows.shape[0], settings.rank).normal_(std=settings.rank**-0.5))
        self.down = nn.Parameter(rows.new_zeros(settings.rank, rows.shape[1]))
        self.scale = settings.alpha / settings.rank

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.kernel_of(self.low_rank(), weight)

    def low_rank(self) -> Tensor:
        """The delta as rows (outputs, inputs·kh·kw), in the precision of the factors even under autocast."""
        with torch.autocast(self.up.device.type, enabled=False):
            return self.scale * (self.up @ self.down)
