"""Agreement with the ``peft`` library's convolution layers, where the two define the same thing."""

from __future__ import annotations

import copy
from typing import Any

import peft
import pytest
import torch
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.base import Layer
from dplass_cli.adapters.dora import DoRA
from dplass_cli.adapters.lora import LoRA

RANK, ALPHA = 3, 5.0
LAYERS = {"3x3": nn.Conv2d(6, 10, 3, padding=1), "1x1": nn.Conv2d(6, 10, 1), "linear": nn.Linear(6, 10)}


class Holder(nn.Module):
    """A network of one layer, for peft to put its layer in."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(x)
        return out


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_outputs_gradients_and_merged_weights_agree(kind: str, dora: bool) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind].double().requires_grad_(False)
    x = torch.randn(2, 6, *(() if kind == "linear" else (7, 5)), dtype=torch.float64)
    ours = (DoRA if dora else LoRA)(layer, LayerSettings(RANK, ALPHA))
    for parameter in ours.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["layer"], use_dora=dora)  # type: ignore[arg-type]
    theirs = peft.get_peft_model(Holder(copy.deepcopy(layer)), config).double()
    wrapped: Any = theirs.base_model.model.layer
    down, up = wrapped.lora_A["default"].weight, wrapped.lora_B["default"].weight
    down.data = ours.down.detach().reshape(down.shape).clone()
    up.data = ours.up.detach().reshape(up.shape).clone()
    if isinstance(ours, DoRA):
        magnitude = wrapped.lora_magnitude_vector["default"].weight
        magnitude.data = ours.magnitude.detach().reshape(magnitude.shape).clone()
    expected = theirs(x)
    ours.attach(layer)
    output = layer(x)
    torch.testing.assert_close(output, expected, atol=1e-9, rtol=0)
    output.square().sum().backward()
    expected.square().sum().backward()
    if isinstance(ours, DoRA):  # in the factors' gradients peft takes the norm for a constant, as is not published
        torch.testing.assert_close(ours.magnitude.grad, magnitude.grad.reshape(-1), atol=1e-9, rtol=1e-9)
    else:
        torch.testing.assert_close(ours.up.grad, up.grad.reshape(ours.up.shape), atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(ours.down.grad, down.grad.reshape(ours.down.shape), atol=1e-9, rtol=1e-9)
    ours.detach(layer)
    wrapped.merge()
    torch.testing.assert_close(ours(layer.weight), wrapped.base_layer.weight, atol=1e-9, rtol=0)
