"""The adapter methods that are weight deltas: ReConv, LoRA and DoRA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import LayerSettings, WeightAdapter
from dplass_cli.models.base import Layer


class ReConv(WeightAdapter):
    """W′ = W + alpha/(kh·kw·rank)·A with A of W's shape, initially zero (golden ``reconv_layout.json``).

    DP-LASS computes a full-size convolution in parallel to each frozen one. Both have the same input, so together they
    are one convolution.
    """

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


class LoRA(WeightAdapter):
    """LoRA over the flattened kernel (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021).

    W′ = W + alpha/rank · U·D with U (outputs, rank) and D (rank, inputs·kh·kw) (golden ``conv_lora_layout.json``).
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

    def factors(self) -> tuple[Tensor, Tensor] | None:
        """(outputs, rank) and (rank, inputs·kh·kw), whose product is the delta: for cheaper gradients.

        None if W′ is not W plus this delta.
        """
        return self.scale * self.up, self.down

    def low_rank(self) -> Tensor:
        """The delta as rows (outputs, inputs·kh·kw), in the precision of the factors even under autocast."""
        with torch.autocast(self.up.device.type, enabled=False):
            return self.scale * (self.up @ self.down)


class DoRA(LoRA):
    """Magnitude and direction of each kernel (Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024).

    W′[o] = m[o] · V[o]/‖V[o]‖ for each output o, with V = W + alpha/rank · U·D (golden ``conv_dora_layout.json``).
    The gradient flows through the norm, as in DP-LASS. An untrained W′ equals W up to rounding.
    """

    method = "dora"
    published_tensors: ClassVar[Mapping[str, str]] = {"magnitude": "magnitude", **LoRA.published_tensors}

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        super().__init__(layer, settings)
        self.magnitude = nn.Parameter(_norms(self.rows(layer.weight.detach()))[:, 0])

    def factors(self) -> None:
        return None  # each output is scaled as well

    def forward(self, weight: Tensor) -> Tensor:
        direction = self.rows(weight) + self.low_rank()
        return self.kernel_of(self.magnitude[:, None] * (direction / _norms(direction)), weight)


def _norms(rows: Tensor) -> Tensor:
    """Norms of the rows, (outputs, 1); clamped to a tiny positive value, so that zero rows can be divided by them."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return norms.clamp(min=torch.finfo(rows.dtype).tiny)
