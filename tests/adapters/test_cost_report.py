"""Counting an adapter's parameters and work; tests/cli/test_adapters.py checks numbers by hand."""

from __future__ import annotations

import pytest
from small_networks import SMALL, loaded, small_network

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.cost_report import cost_report
from dplass_cli.options.adapter_settings import AdapterSettings


def test_a_base_alone_is_trainable_as_a_whole() -> None:
    report = cost_report(SMALL, None)
    assert report.total == report.trainable == sum(p.numel() for p in small_network().parameters())
    assert report.adapter_macs_per_second == 0


@pytest.mark.parametrize("method", list(METHODS))
def test_only_the_adapter_is_trainable_and_only_branches_add_work(method: str) -> None:
    adapter = loaded(small_network(), AdapterSettings(method))
    report = cost_report(SMALL, adapter.info)
    own = sum(parameter.numel() for layer in adapter.layers.values() for parameter in layer.parameters())
    assert report.trainable == own == sum(layer.adapter_parameters for layer in report.layers)
    assert (report.adapter_macs_per_second > 0) == (not METHODS[method].linear)
