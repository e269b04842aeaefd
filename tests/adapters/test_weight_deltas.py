"""LoRA and DoRA against the ``peft`` library, and the scale of ReConv."""

from __future__ import annotations

import pytest
import torch
from peft_layers import LAYERS, peft_pair
from torch import nn

from dplass_cli.adapters import LayerSettings
from dplass_cli.adapters.weight_deltas import DoRA, LoRA, ReConv


@pytest.mark.parametrize(
    ("layer", "scale"), [(nn.Conv2d(2, 3, (3, 5)), 6.0 / (15 * 4)), (nn.Linear(2, 3), 6.0 / 4)], ids=["conv", "linear"]
)
def test_reconvs_scale_is_alpha_over_the_kernels_area_and_the_rank(layer: nn.Conv2d | nn.Linear, scale: float) -> None:
    adapter = ReConv(layer, LayerSettings(4, 6.0))
    with torch.no_grad():
        adapter.kernel.fill_(1.0)
    torch.testing.assert_close(adapter(layer.weight) - layer.weight, torch.full_like(layer.weight, scale))


def test_the_tensors_of_reconv_determine_no_settings() -> None:
    assert ReConv.settings_from(ReConv(nn.Linear(2, 3), LayerSettings(4, 6.0)).state_dict()) == {}


@pytest.mark.parametrize("kind", list(LAYERS))
def test_outputs_gradients_and_merged_weights_of_lora_equal_pefts(kind: str) -> None:
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


def test_the_tensors_of_lora_determine_the_rank() -> None:
    adapter = LoRA(nn.Linear(4, 6), LayerSettings(3, 1.0))
    assert LoRA.settings_from(adapter.state_dict()) == {"rank": 3}


def test_up_of_lora_starts_random_and_down_starts_at_zero() -> None:
    torch.manual_seed(0)
    adapter = LoRA(nn.Linear(400, 600), LayerSettings(4, 1.0))
    assert not adapter.down.any()
    assert float(adapter.up.detach().std()) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("kind", list(LAYERS))
def test_outputs_and_merged_weights_of_dora_equal_pefts(kind: str) -> None:
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


def test_a_row_of_zeros_gives_no_nan_in_dora() -> None:
    layer = nn.Linear(4, 3).requires_grad_(False)
    layer.weight[1] = 0.0
    assert DoRA(layer, LayerSettings(2, 1.0))(layer.weight).isfinite().all()
