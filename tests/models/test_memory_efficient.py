"""The memory-efficient operations compute what the plain ones do, and save less."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.base import LayerSettings
from dplass_cli.models.memory_efficient import average_pool, conditioned, convolution, pointwise


def frozen_norm() -> torch.nn.BatchNorm2d:
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm2d(5).double().eval().requires_grad_(False)
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        torch.nn.init.normal_(tensor)  # type: ignore[arg-type]
    torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return norm


def test_gradients_through_a_frozen_norm_are_correct() -> None:
    norm = frozen_norm()
    x = torch.randn(2, 5, 4, 3, dtype=torch.float64, requires_grad=True)
    beta = torch.randn(2, 5, 1, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, beta: conditioned(norm, x, beta), (x, beta))
    expected = torch.nn.functional.leaky_relu(norm(x) + beta, 0.01)
    assert torch.equal(conditioned(norm, x, beta), expected)
    with torch.no_grad():
        assert torch.equal(conditioned(norm, x, beta), expected)
    norm.requires_grad_(True)
    assert torch.equal(conditioned(norm, x, beta), expected)
    norm.requires_grad_(False).train()
    assert not torch.allclose(conditioned(norm, x, beta), expected)  # statistics of the batch


def test_a_frozen_norm_saves_one_map_for_the_gradient() -> None:
    norm, kept = frozen_norm(), []
    x = torch.randn(2, 5, 4, 3, dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.shape) or tensor, lambda t: t):
        y = conditioned(norm, x, torch.zeros(2, 5, 1, 1, dtype=torch.float64))
    assert kept == [y.shape, (5,)]


@pytest.mark.parametrize("size", [(2, 2), (1, 2), (3, 1), (1, 1)])
def test_average_pool_is_the_plain_one_and_saves_nothing(size: tuple[int, int]) -> None:
    kept: list[torch.Tensor] = []
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
        y = average_pool(x, size)
    assert kept == []
    assert torch.equal(y, torch.nn.functional.avg_pool2d(x, size))
    assert torch.autograd.gradcheck(lambda x: average_pool(x, size), (x,))


def test_a_frozen_pointwise_convolution_saves_its_weight_only() -> None:
    layer = torch.nn.Conv2d(3, 5, 1).double().requires_grad_(False)
    x = torch.randn(2, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    kept: list[torch.Size] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.shape) or tensor, lambda t: t):
        y = pointwise(layer, x)
    assert kept == [(5, 3, 1, 1)]
    assert torch.equal(y, layer(x))
    assert torch.autograd.gradcheck(lambda x: pointwise(layer, x), (x,))
    layer.requires_grad_(True)
    pointwise(layer, x).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [((3, 3), (1, 1), (1, 1)), ((2, 3), (1, 1), (0, 2)), ((1, 1), (1, 1), (0, 0)), ((3, 3), (2, 1), (1, 1))],
)
@pytest.mark.parametrize("positions", [7, 4096])
def test_gradients_of_a_trained_convolution_are_correct(
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    positions: int,
    memory_format: torch.memory_format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dplass_cli.models.memory_efficient._POSITIONS", positions)
    layer = torch.nn.Conv2d(3, 5, size, stride, padding, bias=False).double()
    layer.weight.data = layer.weight.data.to(memory_format=memory_format)
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    assert torch.equal(convolution(layer, x), layer(x))
    assert torch.autograd.gradcheck(lambda x, _: convolution(layer, x), (x, layer.weight))


def low_rank_layer(method: str, rank: int, dtype: torch.dtype = torch.float64, stride: int = 1) -> torch.nn.Conv2d:
    """A frozen convolution of 3 inputs and 8 outputs with a trained adapter, attached."""
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(3, 8, (3, 5), (1, stride), padding=(1, 2), bias=False).to(dtype).requires_grad_(False)
    adapter = METHODS[method](layer, LayerSettings(rank, 3.0)).to(dtype)
    torch.nn.init.normal_(adapter.get_parameter("down"))
    adapter.attach(layer)
    return layer


def gradients(y: torch.Tensor, x: torch.Tensor, layer: torch.nn.Conv2d) -> list[torch.Tensor]:
    """Of a loss of y with respect to x and to all that is trained."""
    trained = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    loss = (y.double() * torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape)).square().sum()
    return list(torch.autograd.grad(loss, [x, *trained]))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("method", "rank", "low"), [("lora", 2, True), ("lora", 5, False), ("dora", 2, False)])
def test_gradients_of_low_rank_adapters_are_those_of_autograd(
    method: str, rank: int, low: bool, stride: int, memory_format: torch.memory_format
) -> None:
    layer = low_rank_layer(method, rank, stride=stride)
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    y, expected = convolution(layer, x), layer(x)
    assert ("LowRank" in str(y.grad_fn)) is low
    assert torch.equal(y, expected)
    for ours, theirs in zip(gradients(y, x, layer), gradients(expected, x, layer), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_low_rank_delta_is_trained_in_bfloat16_under_autocast() -> None:
    layer = low_rank_layer("lora", 2, torch.float32)
    x = torch.randn(2, 3, 6, 7, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = convolution(layer, x)
    assert y.dtype == torch.bfloat16
    for ours, theirs in zip(gradients(y, x, layer), gradients(layer(x), x, layer), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_a_trained_layer_below_a_low_rank_adapter_gets_its_gradient() -> None:
    layer = low_rank_layer("lora", 2)
    layer.parametrizations.weight.original.requires_grad_(True)  # type: ignore[union-attr]
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    for ours, theirs in zip(gradients(convolution(layer, x), x, layer), gradients(layer(x), x, layer), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_convolution_keeps_its_hooks() -> None:
    layer = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    x = torch.randn(1, 3, 4, 6)
    plain = convolution(layer, x)
    layer.register_forward_hook(lambda module, inputs, output: output + 1)
    assert torch.equal(convolution(layer, x), plain + 1)
