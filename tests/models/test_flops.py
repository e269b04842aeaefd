"""Counting parameters and multiply-accumulates."""

from __future__ import annotations

import pytest
from small_networks import SMALL, SMALL_LASAFT, small_lasaft, small_network
from torch import nn

from dplass_cli.models.flops import layer_costs, network_costs
from dplass_cli.options.network_settings import ResUNet30Config

LAYERS = {cost.path: cost for cost in layer_costs(SMALL)}


def test_all_parameters_are_counted_once() -> None:
    total = sum(parameter.numel() for parameter in small_network().parameters())
    assert sum(cost.parameters for cost in LAYERS.values()) == total


def test_the_convolutions_cost_is_the_product_of_its_sizes() -> None:
    cost = LAYERS["base.pre_conv"]
    assert cost.kind == "Conv2d 1x1 1→4"
    cells_per_second = SMALL.sample_rate / SMALL.hop * SMALL.n_fft / 2
    assert cost.macs_per_second == pytest.approx(4 * cells_per_second)
    assert cost.macs_per_query == 0


def test_film_costs_per_query_and_not_per_second() -> None:
    film = [cost for path, cost in LAYERS.items() if path.startswith("film.")]
    assert all(cost.macs_per_second == 0 for cost in film)
    assert all(cost.macs_per_query == cost.parameters - _outputs(cost.kind) for cost in film)


def _outputs(kind: str) -> int:
    return int(kind.rpartition("→")[2])


def test_dead_parameters_are_those_that_no_forward_reads() -> None:
    network = small_network()
    for path, cost in LAYERS.items():
        assert cost.dead == (cost.parameters if network.is_unread(path) else 0), path


def test_what_is_attached_to_a_layer_adds_work_but_no_parameters() -> None:
    def double_the_work(network: object) -> None:
        layer = network.base.after_conv  # type: ignore[attr-defined]
        layer.register_forward_hook(lambda module, inputs, output: output + module.forward(inputs[0]))

    attached = {cost.path: cost for cost in layer_costs(SMALL, double_the_work)}
    plain = LAYERS["base.after_conv"]
    assert attached["base.after_conv"].macs_per_second == pytest.approx(2 * plain.macs_per_second)
    assert attached["base.after_conv"].parameters == plain.parameters


def test_the_published_network_is_counted_without_memory_for_it() -> None:
    assert sum(cost.parameters for cost in layer_costs(ResUNet30Config())) == 26_447_941


def test_a_network_costs_what_its_layers_do() -> None:
    costs = network_costs("small", SMALL)
    assert costs.parameters == sum(cost.parameters for cost in LAYERS.values())
    assert costs.macs_per_second == pytest.approx(sum(cost.macs_per_second for cost in LAYERS.values()))
    assert costs.macs_per_query == pytest.approx(sum(cost.macs_per_query for cost in LAYERS.values()))


def test_int8_stores_one_byte_per_weight_of_a_convolution() -> None:
    network, costs = small_network(), network_costs("small", SMALL)
    kernels = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() == 4)
    assert costs.float16_bytes * 2 == costs.float32_bytes
    assert costs.int8_bytes == costs.float32_bytes - 3 * kernels


def test_products_with_a_query_count_in_the_cost_of_lasaft() -> None:
    costs = network_costs("lasaft", SMALL_LASAFT)
    assert costs.parameters == sum(parameter.numel() for parameter in small_lasaft().parameters())
    assert costs.macs_per_second > sum(cost.macs_per_second for cost in layer_costs(SMALL_LASAFT))


def test_int8_stores_one_byte_per_weight_along_the_frequency_axis() -> None:
    network, costs = small_lasaft(), network_costs("lasaft", SMALL_LASAFT)
    layers = [layer for name, layer in network.named_modules() if isinstance(layer, nn.Linear) and ".tdf." in name]
    assert len(layers) == 2 * SMALL_LASAFT.n_blocks
    weights = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() == 4)
    weights += sum(layer.weight.numel() for layer in layers)
    assert costs.int8_bytes == costs.float32_bytes - 3 * weights
