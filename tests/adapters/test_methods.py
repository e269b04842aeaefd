"""One battery over all methods and layer types: a layer's algebra in float64, a small network's in float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import EVERYWHERE, SMALL, fresh, loaded, perturb, small_inputs, small_network
from torch import nn

from dplass_cli.adapters import METHODS, AdapterSettings, LayerSettings, adapted, layers
from dplass_cli.adapters.base import Layer, WeightAdapter
from dplass_cli.adapters.injection import adapter_state
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.separation.bank import AdapterBank

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "3x3": (nn.Conv2d(6, 10, 3, padding=1), (2, 6, 9, 7)),
    "3x3 strided": (nn.Conv2d(6, 10, 3, stride=(2, 1), padding=1, bias=False), (2, 6, 9, 7)),
    "1x1": (nn.Conv2d(6, 10, 1), (2, 6, 9, 7)),
    "transposed": (nn.ConvTranspose2d(6, 10, (2, 3), stride=(2, 3), bias=False), (2, 6, 5, 4)),
    "linear": (nn.Linear(6, 10), (3, 6)),
}
LINEAR = [name for name, method in METHODS.items() if method.linear]


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

    def test_fresh_changes_nothing(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        expected = layer(x)
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        adapter.attach(layer)
        torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)

    def test_detaching_restores_bits(self, method: str, kind: str) -> None:
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

    def test_merged_equals_forward_and_the_rule(self, method: str, kind: str) -> None:
        layer, x = layer_of(kind)
        adapter = METHODS[method](layer, LayerSettings(2, 3.0))
        perturb({"": adapter})
        expected = by_the_rule(method, layer, adapter, x)
        adapter.attach(layer)
        torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)
        adapter.detach(layer)
        if isinstance(adapter, WeightAdapter):
            assert adapter.linear
            layer.weight.data = adapter(layer.weight)
            torch.testing.assert_close(layer(x), expected, atol=1e-9, rtol=0)
        else:
            assert not adapter.linear

    def test_gradients_reach_the_adapter_only_and_are_right(self, method: str, kind: str) -> None:
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


def by_the_rule(method: str, layer: Layer, adapter: Any, x: torch.Tensor) -> torch.Tensor:
    """The adapted layer as its definition says, two layers beside each other, written without the adapter's code."""
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


class TestNetwork:
    """All layers of a small network at once, float32."""

    @pytest.fixture
    def network(self) -> Any:
        return small_network()

    def test_fresh_changes_nothing_and_leaving_restores_bits(self, method: str, network: Any) -> None:
        before = {key: value.clone() for key, value in network.state_dict().items()}
        expected = network(*small_inputs())
        adapters = fresh(network, AdapterSettings(method, EVERYWHERE))
        with adapted(network, adapters):
            torch.testing.assert_close(network(*small_inputs()), expected, atol=1e-5, rtol=0)
            perturb(adapters)
            assert (network(*small_inputs()) - expected).abs().max() > 1e-3
        assert before.keys() == network.state_dict().keys()
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())

    def test_an_error_inside_restores_too(self, method: str, network: Any) -> None:
        before = network.sha256()
        adapters = fresh(network, AdapterSettings(method))

        def failing() -> None:
            with adapted(network, adapters):
                network.train()(*small_inputs())  # moves the statistics
                raise RuntimeError("boom")

        with pytest.raises(RuntimeError, match="boom"):
            failing()
        assert network.sha256() == before

    def test_gradients_reach_every_adapter_and_nothing_else(self, method: str, network: Any) -> None:
        adapters = fresh(network, AdapterSettings(method, EVERYWHERE))
        assert len(adapters) == len(layers(network))
        perturb(adapters)
        with adapted(network, adapters):
            network(*small_inputs()).square().mean().backward()
            for path, adapter in adapters.items():
                for name, parameter in adapter.named_parameters():
                    assert parameter.grad is not None, (path, name)
                    # A row of one value has no direction to change but its sign.
                    if not (method == "dora" and path == "base.pre_conv" and name != "magnitude"):
                        assert parameter.grad.abs().sum() > 0, (path, name)
            own = {id(parameter) for adapter in adapters.values() for parameter in adapter.parameters()}
            assert {id(p) for p in network.parameters() if p.grad is not None} == own

    def test_activated_equals_attached_and_restores_bits(self, method: str, network: Any) -> None:
        before = {key: value.clone() for key, value in network.state_dict().items()}
        base = network(*small_inputs())
        bank = AdapterBank(network)
        expected: dict[str | None, torch.Tensor] = {None: base}
        for key, seed in (("one", 1), ("two", 2)):
            adapter = loaded(network, AdapterSettings(method, EVERYWHERE), seed)
            with adapted(network, adapter.layers):
                expected[key] = network(*small_inputs())
            bank.add(key, adapter)
        outputs: dict[str | None, torch.Tensor] = {}
        for key in ("one", "two", "two", None, "one", None):
            bank.activate(key)
            output = network(*small_inputs())
            torch.testing.assert_close(output, expected[key], atol=1e-5, rtol=0)
            assert torch.equal(outputs.setdefault(key, output), output)  # activating twice is activating once
        assert before.keys() == network.state_dict().keys()
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
        assert torch.equal(network(*small_inputs()), base)


def test_method_table_says_which_are_linear() -> None:
    assert LINEAR == ["reconv", "lora", "dora"]


@pytest.mark.parametrize("method", LINEAR)
@settings(max_examples=25, deadline=None)
@given(shares=st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3), factor=st.floats(-2, 2, width=32))
def test_blend_is_linear_in_its_weights(method: str, shares: list[float], factor: float) -> None:
    network = blend_network(method)
    paths = list(loaded(network.network, AdapterSettings(method)).layers)

    def delta(which: Any) -> list[torch.Tensor]:
        network.activate(which)
        changed = [network.network.get_submodule(path).weight.double() for path in paths]
        network.activate(None)
        return [c - network.network.get_submodule(path).weight.double() for c, path in zip(changed, paths, strict=True)]

    keys = network.keys
    blended = delta(dict(zip(keys, shares, strict=True)))
    singles = [delta(key) for key in keys]
    scaled = delta({key: factor * share for key, share in zip(keys, shares, strict=True)})
    for number in range(len(paths)):
        total = sum(share * single[number] for share, single in zip(shares, singles, strict=True))
        torch.testing.assert_close(blended[number], total, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(scaled[number], factor * blended[number], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", LINEAR)
def test_one_hot_blend_is_the_adapter_bit_for_bit(method: str) -> None:
    bank = blend_network(method)
    for key in bank.keys:
        bank.activate(key)
        expected = bank.network(*small_inputs())
        bank.activate({other: float(other == key) for other in bank.keys})
        assert torch.equal(bank.network(*small_inputs()), expected)
    bank.activate(dict.fromkeys(bank.keys, 0.0))
    zero = bank.network(*small_inputs())
    bank.activate(None)
    assert torch.equal(bank.network(*small_inputs()), zero)


_BANKS: dict[str, AdapterBank] = {}


def blend_network(method: str) -> AdapterBank:
    """A bank of three adapters, made once a method."""
    if method not in _BANKS:
        network = small_network()
        _BANKS[method] = AdapterBank(network)
        for seed, statistics in ((1, {}), (2, moved(network)), (3, {})):
            _BANKS[method].add(f"domain{seed}", loaded(network, AdapterSettings(method), seed, statistics))
    return _BANKS[method]


def moved(network: ResUNet30) -> dict[str, torch.Tensor]:
    return {"base.bn0.running_mean": network.base.bn0.running_mean + 0.5}  # type: ignore[operator]


def test_what_is_not_linear_is_not_blended() -> None:
    network = small_network()
    bank = AdapterBank(network)
    bank.add("domain0", loaded(network, AdapterSettings("conv-adapter")))
    bank.add("domain1", loaded(network, AdapterSettings("lora")))
    with pytest.raises(InputError, match=r"'domain0' \(conv-adapter\) is not a change of weights.*cannot be blended"):
        bank.activate({"domain0": 0.5, "domain1": 0.5})
    bank.activate({"domain1": 0.5})


def test_every_method_has_its_parameters(method: str) -> None:
    network = ResUNet30(SMALL)
    shapes = {
        name: tuple(t.shape)
        for name, t in adapter_state(fresh(network, AdapterSettings(method, ("bottleneck.conv1",)))).items()
    }
    path = "base.conv_block7a.conv_block1.conv1"
    assert (
        shapes
        == {
            "reconv": {f"{path}.kernel": (6, 6, 3, 3)},
            "lora": {f"{path}.up": (6, 4), f"{path}.down": (4, 54)},
            "dora": {f"{path}.up": (6, 4), f"{path}.down": (4, 54), f"{path}.magnitude": (6,)},
            "conv-adapter": {
                f"{path}.depthwise": (6, 1, 3, 3),
                f"{path}.down": (6, 6, 1, 1),
                f"{path}.up": (6, 6, 1, 1),
            },
        }[method]
    )


def test_gamma_narrows_the_branch_and_too_large_a_one_is_refused() -> None:
    network = ResUNet30(SMALL)
    adapter = fresh(network, AdapterSettings("conv-adapter", ("bottleneck.conv1",), gamma=2))
    assert [tuple(t.shape) for t in adapter_state(adapter).values()][1] == (3, 6, 1, 1)
    with pytest.raises(InputError, match=r"adapter.gamma 9 leaves no channel inside a layer of 4 inputs"):
        fresh(network, AdapterSettings("conv-adapter", gamma=9))
