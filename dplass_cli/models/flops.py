"""Counts parameters, multiply-accumulates and sizes of networks and their layers, without computing anything.

The network is built on torch's ``meta`` device, where tensors have shapes but no values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dplass_cli.models.base import BaseModel
from dplass_cli.models.registry import make_network
from dplass_cli.options.network_settings import NetworkConfig

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class LayerCost:
    """The cost of a layer.

    Attributes:
        path: its path in the network.
        kind: its type and shape, such as ``Conv2d 3x3 32→64``.
        parameters: number of parameters of the layer itself, without an adapter.
        dead: number of these parameters that no output depends on.
        macs_per_second: multiply-accumulates per second of audio (convolutions and matrix products only).
        macs_per_query: multiply-accumulates per query, independent of the length of the audio (FiLM).
    """

    path: str
    kind: str
    parameters: int
    dead: int
    macs_per_second: float
    macs_per_query: float


def layer_costs(
    config: NetworkConfig, prepare: Callable[[BaseModel], object] = lambda network: None
) -> list[LayerCost]:
    """Count every layer that has parameters, in forward order.

    ``prepare`` is called with the network before multiply-accumulates are counted, for instance to attach adapters.
    What it adds below a layer counts towards that layer's work, but not its parameters.
    """
    with torch.device("meta"):
        network = make_network(config).eval()
    layers = {path: module for path, module in network.named_modules() if any(True for _ in module.parameters(False))}
    sizes = {path: sum(parameter.numel() for parameter in layer.parameters(False)) for path, layer in layers.items()}
    dead = _dead(network, layers)
    # Of a module that contains others, only these are counted.
    leaves = {path: layer for path, layer in layers.items() if not any(True for _ in layer.children())}
    prepare(network)
    # One cell more costs what depends on the length; what remains of the first cell is the cost per query.
    one, two = (_macs(network, leaves, cells) for cells in (1, 2))
    seconds = config.grid[0] * config.hop / config.sample_rate  # of one cell
    rows = []
    for path, layer in layers.items():
        first, per_cell = one.get(path, 0.0), two.get(path, 0.0) - one.get(path, 0.0)
        rows.append(LayerCost(path, _kind(layer), sizes[path], dead[path], per_cell / seconds, first - per_cell))
    return rows


@dataclass(frozen=True)
class NetworkCosts:
    """The costs of a whole network.

    Attributes:
        name: of the network or model.
        parameters: number of parameters.
        macs_per_second: multiply-accumulates per second of audio (convolutions and matrix products only).
        macs_per_query: multiply-accumulates per query, independent of the length of the audio.
        float32_bytes: size of all tensors.
        float16_bytes: the same with two bytes per number.
        int8_bytes: with one byte per weight of a layer on spectrograms and four per other number.
    """

    name: str
    parameters: int
    macs_per_second: float
    macs_per_query: float
    float32_bytes: int
    float16_bytes: int
    int8_bytes: int


def network_costs(name: str, config: NetworkConfig) -> NetworkCosts:
    """Count the costs of a network; ``name`` is that of the result."""
    with torch.device("meta"):
        network = make_network(config).eval()
    weights = sum(layer.weight.numel() for layer in _spectrogram_layers(network))
    numbers = sum(tensor.numel() for tensor in network.state_dict().values() if tensor.is_floating_point())
    macs = []
    for cells in (1, 2):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            _run(network, cells)
        macs.append(counter.get_total_flops() / 2)
    per_cell = macs[1] - macs[0]
    return NetworkCosts(
        name=name,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_second=per_cell * config.sample_rate / (config.grid[0] * config.hop),
        macs_per_query=macs[0] - per_cell,
        float32_bytes=4 * numbers,
        float16_bytes=2 * numbers,
        int8_bytes=weights + 4 * (numbers - weights),
    )


def _run(network: BaseModel, cells: int) -> torch.Tensor:
    """Compute logits for a number of grid cells (in time) and one query; the STFT is not included."""
    config = network.config
    features = torch.empty(1, network.feature_channels, cells * config.grid[0], config.n_fft // 2 + 1, device="meta")
    return network.estimate(features, torch.empty(1, config.condition_size, device="meta"))


def _spectrogram_layers(network: BaseModel) -> list[nn.Conv2d | nn.ConvTranspose2d | nn.Linear]:
    """The convolutions, and the linear layers along the frequency axis; not those on the query."""
    found: list[nn.Linear] = []

    def record(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(layer, nn.Linear) and inputs[0].dim() == 4:
            found.append(layer)

    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(record) for layer in linear]
    with torch.no_grad():
        _run(network, 1)
    for hook in hooks:
        hook.remove()
    return [*(layer for layer in network.modules() if isinstance(layer, _CONVOLUTIONS)), *found]


def _macs(network: BaseModel, layers: Mapping[str, nn.Module], cells: int) -> dict[str, float]:
    """Multiply-accumulates of each layer, including what is attached to it, for a number of grid cells."""
    inputs: dict[str, torch.Tensor] = {}

    def record(path: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        return lambda layer, arguments: inputs.update({path: arguments[0]})

    hooks = [layer.register_forward_pre_hook(record(path)) for path, layer in layers.items()]
    counts = {}
    with torch.no_grad():
        _run(network, cells)
        for hook in hooks:
            hook.remove()
        for path, layer in layers.items():
            with FlopCounterMode(display=False) as counter:
                if path in inputs:  # layers that no forward pass runs have no input
                    layer(inputs[path])
            counts[path] = counter.get_total_flops() / 2  # a multiply-accumulate is two operations
    return counts


def _dead(network: BaseModel, layers: Mapping[str, nn.Module]) -> dict[str, int]:
    """The number of parameters per layer that get no gradient from the output."""
    network.requires_grad_(True)
    torch.autograd.backward(_run(network, 1).sum())
    return {
        path: sum(parameter.numel() for parameter in layer.parameters(False) if parameter.grad is None)
        for path, layer in layers.items()
    }


def _kind(layer: nn.Module) -> str:
    name = type(layer).__name__
    if isinstance(layer, _CONVOLUTIONS):
        return f"{name} {'x'.join(map(str, layer.kernel_size))} {layer.in_channels}→{layer.out_channels}"
    if isinstance(layer, nn.Linear):
        return f"{name} {layer.in_features}→{layer.out_features}"
    return f"{name} {layer.num_features}" if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) else name
