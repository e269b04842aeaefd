"""Adapters on all layers of a small network, in float32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import EVERYWHERE, SMALL, fresh, loaded, perturb, small_inputs, small_network

from dplass_cli.adapters import METHODS, adapted
from dplass_cli.adapters.injection import (
    adapter_state,
    find_method,
    layer_at,
    layer_settings,
    load_adapter_state,
    moved_statistics,
)
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank


@pytest.fixture(params=list(METHODS))
def method(request: Any) -> str:
    return str(request.param)


class TestNetwork:
    """All layers of a small network at once, float32."""

    @pytest.fixture
    def network(self) -> Any:
        return small_network()

    def test_untrained_adapters_change_nothing_and_the_network_is_restored(self, method: str, network: Any) -> None:
        before = {key: value.clone() for key, value in network.state_dict().items()}
        expected = network(*small_inputs())
        adapters = fresh(network, AdapterSettings(method, EVERYWHERE))
        with adapted(network, adapters):
            torch.testing.assert_close(network(*small_inputs()), expected, atol=1e-5, rtol=0)
            perturb(adapters)
            assert (network(*small_inputs()) - expected).abs().max() > 1e-3
        assert before.keys() == network.state_dict().keys()
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())

    def test_the_network_is_restored_after_an_error(self, method: str, network: Any) -> None:
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
        assert len(adapters) == len(network.adaptable_layers())
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

    def test_activating_equals_attaching_and_restores_the_base(self, method: str, network: Any) -> None:
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


def test_an_unknown_method_is_corrected() -> None:
    with pytest.raises(InputError, match=r"--adapter lorra: must be one of .*; did you mean 'lora'"):
        find_method("lorra")


def test_what_is_not_a_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r"'base\.bn0' is not a layer of this network"):
        layer_at(small_network(), "base.bn0")


def test_statistics_that_training_moved_are_returned_and_then_restored() -> None:
    network = small_network()
    before = network.sha256()
    with adapted(network, {}) as statistics:
        network.base.bn0.train()(torch.randn(2, 129, 5, 1))
        moved = moved_statistics(network, statistics)
    assert {name.rpartition(".")[2] for name in moved} == {"running_mean", "running_var", "num_batches_tracked"}
    assert all(name.startswith("base.bn0.") for name in moved)
    assert network.sha256() == before


def test_tensors_of_another_adapter_are_refused() -> None:
    network = small_network()
    lora, reconv = (fresh(network, AdapterSettings(method)) for method in ("lora", "reconv"))
    with pytest.raises(InputError, match=r"a\.bin: not an adapter of this network; missing: .*unexpected: "):
        load_adapter_state(lora, adapter_state(reconv), "a.bin")


def test_a_rank_that_is_larger_than_any_kernel_is_refused() -> None:
    for method in ("lora", "dora"):
        with pytest.raises(InputError, match=r"adapter.rank 100000: .* have at most \d+ inputs per output"):
            layer_settings(small_network(), AdapterSettings(method, rank=100_000))
    layer_settings(small_network(), AdapterSettings("reconv", rank=100_000))  # where it divides the scale only
