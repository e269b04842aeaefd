"""What can be done with adapters as changes of weights: comparing them, and compressing them to a low rank."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from dplass_cli.adapters.adapter_folder import LoadedAdapter
from dplass_cli.adapters.base import LayerSettings, WeightAdapter
from dplass_cli.adapters.injection import layer_at, load_adapter_state, make_adapters, statistics_of
from dplass_cli.adapters.lora import LoRA
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30


def compress(adapter: LoadedAdapter, network: ResUNet30, rank: int) -> tuple[LoadedAdapter, dict[str, float]]:
    """Replace a linear adapter by the ``lora`` of a rank that is nearest to it in every layer (Eckart and Young, 1936).

    Returns:
        (the compressed adapter, {path: share of the squared norm of the layer's change that is kept}).

    Raises:
        InputError: the rank is not positive, or the adapter is not a change of weights.
    """
    if rank < 1:
        raise InputError(f"--rank {rank}: must be at least 1")
    layers: dict[str, LayerSettings] = {}
    factors: dict[str, Tensor] = {}
    kept: dict[str, float] = {}
    for path, layer in _weight_adapters(adapter).items():
        rows = layer.rows(_delta(layer, layer_at(network, path).weight))
        left, sizes, right = torch.linalg.svd(rows, full_matrices=False)
        count = min(rank, len(sizes))
        energy = float(sizes.square().sum())
        kept[path] = float(sizes[:count].square().sum()) / energy if energy > 0 else 1.0
        roots = sizes[:count].sqrt()
        factors[f"{path}.up"] = (left[:, :count] * roots).float()
        factors[f"{path}.down"] = (roots[:, None] * right[:count]).float()
        layers[path] = LayerSettings(count, float(count))  # alpha/rank is 1
    compressed = make_adapters(network, LoRA.method, layers)
    load_adapter_state(compressed, factors, f"--rank {rank}")
    training = {**adapter.info.training, "compressed": {"from": adapter.info.method, "rank": rank, "energy": kept}}
    info = replace(adapter.info, method=LoRA.method, layers=layers, training=training)
    return LoadedAdapter(compressed, adapter.statistics, info), kept


def relative_changes(network: ResUNet30, first: LoadedAdapter | None, second: LoadedAdapter | None) -> dict[str, float]:
    """Compare two adapters of a base (None is the base): {path: ‖W₂ − W₁‖ / ‖W₁‖} of layers and of statistics.

    Layers and statistics that neither changes are left out.

    Raises:
        InputError: one of them is not a change of weights.
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
        raise InputError(f"an adapter of method {adapter.info.method!r} is not a change of weights; this needs one")
    return layers


def _delta(adapter: WeightAdapter, weight: Tensor) -> Tensor:
    """W′ − W in float64, so that the difference of nearly equal weights keeps its digits."""
    weight = weight.detach().double()
    with torch.no_grad():
        changed: Tensor = copy.deepcopy(adapter).double()(weight)
    return changed - weight
