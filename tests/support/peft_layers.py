"""A layer adapted by the ``peft`` library with the tensors of one of ours."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import peft
import torch
from torch import Tensor, nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.base import Layer
from dplass_cli.adapters.weight_deltas import LoRA

RANK, ALPHA = 3, 5.0
LAYERS: dict[str, Layer] = {
    "3x3": nn.Conv2d(6, 10, 3, padding=1),
    "1x1": nn.Conv2d(6, 10, 1),
    "linear": nn.Linear(6, 10),
}


class _Holder(nn.Module):
    """A network of one layer, for peft to replace."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


@dataclass
class PeftPair:
    """The same layer with the same adapter, by us and by peft.

    Attributes:
        ours: our adapter, attached to nothing.
        layer: its layer, float64.
        theirs: peft's network.
        wrapped: peft's layer.
        x: an input of the layer.
    """

    ours: LoRA
    layer: Layer
    theirs: nn.Module
    wrapped: Any
    x: Tensor


def peft_pair(kind: str, method: type[LoRA], dora: bool) -> PeftPair:
    """Adapt a layer by a method of ours and by peft's, with equal random tensors."""
    torch.manual_seed(0)
    layer = copy.deepcopy(LAYERS[kind]).double().requires_grad_(False)
    x = torch.randn(2, 6, *(() if kind == "linear" else (7, 5)), dtype=torch.float64)
    ours = method(layer, LayerSettings(RANK, ALPHA))
    for parameter in ours.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["layer"], use_dora=dora)  # type: ignore[arg-type]
    theirs = peft.get_peft_model(_Holder(copy.deepcopy(layer)), config).double()
    wrapped: Any = theirs.base_model.model.layer
    down, up = wrapped.lora_A["default"].weight, wrapped.lora_B["default"].weight
    down.data = ours.down.detach().reshape(down.shape).clone()
    up.data = ours.up.detach().reshape(up.shape).clone()
    return PeftPair(ours, layer, theirs, wrapped, x)
