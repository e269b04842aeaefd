"""Merging, compressing and comparing weight deltas."""

from __future__ import annotations

import pytest
import torch
from small_networks import loaded, small_inputs, small_network

from dplass_cli.adapters import adapted
from dplass_cli.adapters.algebra import compress, merge, relative_changes
from dplass_cli.errors import InputError
from dplass_cli.options.adapter_settings import AdapterSettings

LINEAR = ["reconv", "lora", "dora"]


@pytest.mark.parametrize("method", LINEAR)
def test_a_merged_network_computes_what_the_adapted_one_does(method: str) -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings(method))
    with torch.no_grad(), adapted(network, adapter.layers):
        expected = network(*small_inputs())
    merge(adapter, network)
    with torch.no_grad():
        torch.testing.assert_close(network(*small_inputs()), expected, atol=1e-5, rtol=0)


def test_merging_takes_the_adapters_statistics() -> None:
    network = small_network()
    mean = torch.full_like(network.base.bn0.running_mean, 2.0)  # type: ignore[arg-type]
    merge(loaded(network, AdapterSettings(), statistics={"base.bn0.running_mean": mean}), network)
    assert torch.equal(network.base.bn0.running_mean, mean)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", LINEAR)
def test_compressing_to_the_full_rank_keeps_everything(method: str) -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings(method))
    compressed, kept = compress(adapter, network, 99)
    assert compressed.info.method == "lora"
    assert all(share == pytest.approx(1.0) for share in kept.values())
    assert max(relative_changes(network, adapter, compressed).values()) < 1e-5


def test_a_higher_rank_keeps_more() -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings("reconv"))
    shares = [sum(compress(adapter, network, rank)[1].values()) for rank in (1, 2, 4)]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_an_adapter_is_unchanged_from_itself_and_changed_from_the_base() -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings("lora"))
    assert set(relative_changes(network, adapter, adapter).values()) == {0.0}
    assert min(relative_changes(network, None, adapter).values()) > 0.0


def test_changed_statistics_are_compared_too() -> None:
    network = small_network()
    doubled = {"base.bn0.running_var": 2 * network.base.bn0.running_var}  # type: ignore[operator]
    changes = relative_changes(network, None, loaded(network, AdapterSettings("lora"), statistics=doubled))
    assert changes["base.bn0.running_var"] == pytest.approx(1.0)


def test_a_rank_below_one_is_refused() -> None:
    network = small_network()
    with pytest.raises(InputError, match="--rank 0: must be at least 1"):
        compress(loaded(network, AdapterSettings("lora")), network, 0)


def test_an_adapter_that_is_not_a_weight_delta_is_refused() -> None:
    network = small_network()
    adapter = loaded(network, AdapterSettings("conv-adapter"))
    for operate in (lambda: merge(adapter, network), lambda: compress(adapter, network, 2)):
        with pytest.raises(InputError, match=r"'conv-adapter' is not a weight delta.*use .* reconv, lora, dora"):
            operate()
