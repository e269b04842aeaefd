"""Weighted sums of adapters in a bank."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import loaded, small_inputs, small_network

from dplass_cli.adapters import METHODS
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank

LINEAR = [name for name, method in METHODS.items() if method.linear]


def test_reconv_lora_and_dora_are_linear() -> None:
    assert LINEAR == ["reconv", "lora", "dora"]


@pytest.mark.parametrize("method", LINEAR)
@settings(max_examples=25, deadline=None)
@given(shares=st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3), factor=st.floats(-2, 2, width=32))
def test_a_blend_is_linear_in_its_weights(method: str, shares: list[float], factor: float) -> None:
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
def test_a_blend_of_one_adapter_is_that_adapter_bit_for_bit(method: str) -> None:
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
    """A bank of three adapters, built once per method."""
    if method not in _BANKS:
        network = small_network()
        _BANKS[method] = AdapterBank(network)
        for seed, statistics in ((1, {}), (2, moved(network)), (3, {})):
            _BANKS[method].add(f"domain{seed}", loaded(network, AdapterSettings(method), seed, statistics))
    return _BANKS[method]


def moved(network: ResUNet30) -> dict[str, torch.Tensor]:
    return {"base.bn0.running_mean": network.base.bn0.running_mean + 0.5}  # type: ignore[operator]


def test_an_adapter_that_is_not_linear_cannot_be_blended() -> None:
    network = small_network()
    bank = AdapterBank(network)
    bank.add("domain0", loaded(network, AdapterSettings("conv-adapter")))
    bank.add("domain1", loaded(network, AdapterSettings("lora")))
    with pytest.raises(InputError, match="'domain0': conv-adapter is not a weight delta and cannot be blended"):
        bank.activate({"domain0": 0.5, "domain1": 0.5})
    bank.activate({"domain1": 0.5})
