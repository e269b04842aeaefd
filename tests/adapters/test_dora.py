"""DoRA against the ``peft`` library."""

from __future__ import annotations

import pytest
import torch
from peft_layers import LAYERS, peft_pair
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.weight_deltas import DoRA


@pytest.mark.parametrize("kind", list(LAYERS))
def test_outputs_and_merged_weights_equal_pefts(kind: str) -> None:
    """The gradients of the factors differ: peft treats the norm as a constant, DP-LASS does not."""
    pair = peft_pair(kind, DoRA, dora=True)
    assert isinstance(pair.ours, DoRA)
    magnitude = pair.wrapped.lora_magnitude_vector["default"].weight
    magnitude.data = pair.ours.magnitude.detach().reshape(magnitude.shape).clone()
    expected = pair.theirs(pair.x)
    pair.ours.attach(pair.layer)
    output = pair.layer(pair.x)
    torch.testing.assert_close(output, expected, atol=1e-9, rtol=0)
    output.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(pair.ours.magnitude.grad, magnitude.grad.reshape(-1), atol=1e-9, rtol=1e-9)
    pair.ours.detach(pair.layer)
    pair.wrapped.merge()
    torch.testing.assert_close(pair.ours(pair.layer.weight), pair.wrapped.base_layer.weight, atol=1e-9, rtol=0)


def test_a_row_of_zeros_gives_no_nan() -> None:
    layer = nn.Linear(4, 3).requires_grad_(False)
    layer.weight[1] = 0.0
    assert DoRA(layer, LayerSettings(2, 1.0))(layer.weight).isfinite().all()
