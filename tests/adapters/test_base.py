"""Every method on every type of layer, in float64, against its definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import perturb
from torch import nn

from dplass_cli.adapters import METHODS, LayerSettings
from dplass_cli.adapters.base import Layer, WeightAdapter

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "3x3": (nn.Conv2d(6, 10, 3, padding=1), (2, 6, 9, 7)),
    "3x3 strided": (nn.Conv2d(6, 10, 3, stride=(2, 1), padding=1, bias=False), (2, 6, 9, 7)),
    "1x1": (nn.Conv2d(6, 10, 1), (2, 6, 9, 7)),
    "transposed": (nn.ConvTranspose2d(6, 10, (2, 3), stride=(2, 3), bias=False), (2, 6, 5, 4)),
    "linear": (nn.Linear(6, 10), (3, 6)),
}


@pytest.fixture(params=list(METHODS))
def method(request: Any) -> str:
    return str(request.param)


def layer_of(kind: str) -> tuple[Layer, torch.Tensor]:
    """A layer with random weights and an input for it, float64."""
    torch.manual_seed(3)
    template, shape = LAYERS[kind]
    layer = type(template)(**_arguments(template)).double().requires_grad_(False)
    return layer, torch.randn(shape, dtype=torch.float64)


def _arguments(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, nn.Linear):
        return {"in_features": layer.in_features, "out_features": layer.out_features}
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
    return {**{name: getattr(layer, name) for name in names}, "bias": layer.bias is not None}


@pytest.mark.parametrize("kind", list(LAYERS))
class TestLayer:
    """One layer, float64, 1e-9."""

    def test_an_untrained_adapter_changes_nothing(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        expected = layer(x)
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        adapter.attach(layer)
        torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)

    def test_detaching_restores_the_layer_bit_for_bit(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        expected, weight, keys = layer(x), layer.weight.clone(), list(layer.state_dict())
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        perturb({"": adapter})
        for _ in range(2):
            adapter.attach(layer)
            assert (layer(x) - expected).abs().max() > 1e-3
            adapter.detach(layer)
            assert torch.equal(layer.weight, weight)
            assert torch.equal(layer(x), expected)
            assert list(layer.state_dict()) == keys

    def test_the_attached_and_the_merged_layer_follow_the_definition(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        perturb({"": adapter})
        expected = by_definition(method, layer, adapter, x)
        adapter.attach(layer)
        torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)
        adapter.detach(layer)
        if isinstance(adapter, WeightAdapter):
            assert adapter.linear
            layer.weight.data = adapter(layer.weight)
            torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)
        else:
            assert not adapter.linear

    def test_gradients_are_correct_and_reach_the_adapter_only(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        perturb({"": adapter})
        names, values = zip(*adapter.named_parameters(), strict=True)
        adapter.attach(layer)

        def output(*tensors: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(adapter, dict(zip(names, tensors, strict=True)), (given_to_adapter,))

        given_to_adapter = x if not adapter.linear else layer.parametrizations.weight.original  # type: ignore[union-attr, index]
        assert torch.autograd.gradcheck(output, tuple(value.detach().requires_grad_() for value in values))
        layer(x).square().sum().backward()
        assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in values)
        assert {id(p) for p in layer.parameters() if p.grad is not None} == {id(value) for value in values}


def by_definition(method: str, layer: Layer, adapter: Any, x: torch.Tensor) -> torch.Tensor:
    """The adapted layer as its definition says, as two parallel layers, written without the adapter's code."""
    weight = layer.weight
    transposed = isinstance(layer, nn.ConvTranspose2d)
    area = weight[0, 0].numel() if weight.dim() == 4 else 1

    def run(kernel: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {**dict(layer.named_parameters()), "weight": kernel}, (x,))

    if method == "reconv":
        only = torch.func.functional_call(layer, {"weight": adapter.kernel, **_no_bias(layer)}, (x,))
        return layer(x) + 3.0 / (area * 2) * only
    if method in ("lora", "dora"):
        outputs_first = weight.transpose(0, 1) if transposed else weight
        changed = outputs_first + 3.0 / 2 * (adapter.up @ adapter.down).reshape(outputs_first.shape)
        if method == "dora":
            for row in range(len(changed)):
                changed = changed.clone()
                changed[row] *= adapter.magnitude[row] / changed[row].norm()
        return run(changed.transpose(0, 1) if transposed else changed)
    image = x[:, :, None, None] if x.dim() == 2 else x
    channels = image.shape[1]
    if isinstance(layer, nn.Linear):
        inside = image * adapter.depthwise[:, :, 0, 0].reshape(1, channels, 1, 1)
    else:
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        depthwise = kind(
            channels, channels, layer.kernel_size, layer.stride, layer.padding, groups=channels, bias=False
        )
        depthwise.weight = adapter.depthwise
        inside = depthwise(image)
    down = torch.einsum("oi,nihw->nohw", adapter.down[:, :, 0, 0], inside)
    up = torch.einsum("oi,nihw->nohw", adapter.up[:, :, 0, 0], torch.where(down > 0, down, 0.01 * down))
    return layer(x) + 3.0 * up.reshape(layer(x).shape)


def _no_bias(layer: Layer) -> dict[str, torch.Tensor]:
    return {} if layer.bias is None else {"bias": torch.zeros_like(layer.bias)}
