"""Operations on adapters that are weight deltas: merging, comparing, and compressing to a low rank."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from dplass_cli.adapters.adapter_folder import LoadedAdapter
from dplass_cli.adapters.base import LayerSettings, WeightAdapter
from dplass_cli.adapters.injection import METHODS, layer_at, load_adapter_state, make_adapters, statistics_of
from dplass_cli.adapters.weight_deltas import LoRA
from dplass_cli.errors import InputError
from dplass_cli.models.base import BaseModel


@torch.no_grad()
def merge(adapter: LoadedAdapter, network: BaseModel) -> None:
    """Give a network the weights and batch-norm statistics of an adapter; InputError if it is not a weight delta."""
    for path, layer in _weight_adapters(adapter).items():
        weight = layer_at(network, path).weight
        weight.data = layer(weight.data)
    for name, buffer in statistics_of(network).items():
        if name in adapter.statistics and buffer.is_floating_point():  # no forward pass reads the counters
            buffer.copy_(adapter.statistics[name])


def compress(adapter: LoadedAdapter, network: BaseModel, rank: int) -> tuple[LoadedAdapter, dict[str, float]]:
    """Replace a weight delta by the nearest ``lora`` of at most a rank, layer by layer (Eckart and Young, 1936).

    Returns:
        (the compressed adapter, {path of a layer: share of the squared norm of its delta that is kept}).

    Raises:
        InputError: the rank is not positive, or the adapter is not a weight delta.
    """
    if rank < 1:
        raise InputError(f"--rank {rank}: must be at least 1")
    layers: dict[str, LayerSettings] = {}
    factors: dict[str, Tensor] = {}
    kept: dict[str, float] = {}
    for path, layer in _weight_adapters(adapter).items():
        rows = layer.rows(_delta(layer, layer_at(network, path).weight))
        left, singular_values, right = torch.linalg.svd(rows, full_matrices=False)
        count = min(rank, len(singular_values))
        energy = float(singular_values.square().sum())
        kept[path] = float(singular_values[:count].square().sum()) / energy if energy > 0 else 1.0
        roots = singular_values[:count].sqrt()
        factors[f"{path}.up"] = (left[:, :count] * roots).float()
        factors[f"{path}.down"] = (roots[:, None] * right[:count]).float()
        layers[path] = LayerSettings(count, float(count))  # so that alpha/rank is 1
    compressed = make_adapters(network, LoRA.method, layers)
    load_adapter_state(compressed, factors, f"--rank {rank}")
    training = {**adapter.info.training, "compressed": {"from": adapter.info.method, "rank": rank, "energy": kept}}
    info = replace(adapter.info, method=LoRA.method, layers=layers, training=training)
    return LoadedAdapter(compressed, adapter.statistics, info), kept


def relative_changes(network: BaseModel, first: LoadedAdapter | None, second: LoadedAdapter | None) -> dict[str, float]:
    """Compare two adapters of a base, or the base (None): {path: ‖W₂ − W₁‖ / ‖W₁‖} of layers and batch-norm statistics.

    Layers and statistics that neither adapter changes are left out. InputError if an adapter is not a weight delta.
    """
    both = [{} if adapter is None else _weight_adapters(adapter) for adapter in (first, second)]
    changes = {}
    for path in dict.fromkeys([*both[0], *both[1]]):
        weight = layer_at(network, path).weight.double()
        deltas = [_delta(adapters[path], weight) if path in adapters else torch.zeros_like(weight) for adapters in both]
        changes[path] = float((deltas[1] - deltas[0]).norm() / (weight + deltas[0]).norm())
    base = statistics_of(network)
    own = [{} if adapter is None else adapter.statistics for adapter in (first, second)]
    for name in dict.fromkeys([*own[0], *own[1]]):
        if base[name].is_floating_point():
            one, two = (statistics.get(name, base[name]) for statistics in own)
            changes[name] = float((two - one).norm() / one.norm())
    return changes


def _weight_adapters(adapter: LoadedAdapter) -> dict[str, WeightAdapter]:
    layers = {path: layer for path, layer in adapter.layers.items() if isinstance(layer, WeightAdapter)}
    if len(layers) < len(adapter.layers):
        raise InputError(
            f"adapter method {adapter.info.method!r} is not a weight delta: it cannot merge, be compressed or compared;"
            f" use an adapter of method {', '.join(name for name, method in METHODS.items() if method.linear)}"
        )
    return layers


def _delta(adapter: WeightAdapter, weight: Tensor) -> Tensor:
    """W′ − W in float64, because the weights are nearly equal."""
    weight = weight.detach().double()
    with torch.no_grad():
        changed: Tensor = copy.deepcopy(adapter).double()(weight)
    return changed - weight
