"""LoRA against the ``peft`` library."""

from __future__ import annotations

import pytest
import torch
from peft_layers import LAYERS, peft_pair
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.weight_deltas import LoRA


@pytest.mark.parametrize("kind", list(LAYERS))
def test_outputs_gradients_and_merged_weights_equal_pefts(kind: str) -> None:
    pair = peft_pair(kind, LoRA, dora=False)
    expected = pair.theirs(pair.x)
    pair.ours.attach(pair.layer)
    output = pair.layer(pair.x)
    torch.testing.assert_close(output, expected, atol=1e-9, rtol=0)
    output.square().sum().backward()
    expected.square().sum().backward()
    for ours, theirs in ((pair.ours.up, pair.wrapped.lora_B), (pair.ours.down, pair.wrapped.lora_A)):
        gradient = theirs["default"].weight.grad
        torch.testing.assert_close(ours.grad, gradient.reshape(ours.shape), atol=1e-9, rtol=1e-9)
    pair.ours.detach(pair.layer)
    pair.wrapped.merge()
    torch.testing.assert_close(pair.ours(pair.layer.weight), pair.wrapped.base_layer.weight, atol=1e-9, rtol=0)


def test_the_tensors_determine_the_rank() -> None:
    adapter = LoRA(nn.Linear(4, 6), LayerSettings(3, 1.0))
    assert LoRA.settings_from(adapter.state_dict()) == {"rank": 3}


def test_up_starts_random_and_down_starts_at_zero() -> None:
    torch.manual_seed(0)
    adapter = LoRA(nn.Linear(400, 600), LayerSettings(4, 1.0))
    assert not adapter.down.any()
    assert float(adapter.up.detach().std()) == pytest.approx(0.5, rel=0.05)
