"""The table of adapter methods, the choice of layers, and attaching adapters to a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import PUBLISHED_ALPHAS, Adapter, LayerSettings
from dplass_cli.adapters.conv_adapter import ConvAdapter
from dplass_cli.adapters.weight_deltas import DoRA, LoRA, ReConv
from dplass_cli.errors import InputError, check_choice, nearest
from dplass_cli.models.base import AdaptableLayer, BaseModel, Layer
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.weights.checkpoint_files import require_finite, require_layout

N = TypeVar("N", int, float)

METHODS: dict[str, type[Adapter]] = {method.method: method for method in (ReConv, LoRA, DoRA, ConvAdapter)}


def find_method(name: str, where: str = "--adapter") -> type[Adapter]:
    """Look up an adapter method by its name, which ``where`` gave; InputError if it is unknown."""
    check_choice(where, name, METHODS)
    return METHODS[name]


def layer_settings(network: BaseModel, settings: AdapterSettings) -> dict[str, LayerSettings]:
    """Resolve settings for a network: {path of an adapted layer: its settings}, in forward order.

    InputError if a name matches no layer, a layer is matched by two names, or a layer has no alpha.
    """
    method = find_method(settings.method)
    published_alphas = method.published_alphas
    known = network.adaptable_layers()
    chosen = [layer for layer in known if _is_named(layer, settings.targets)]
    for name in settings.targets:
        _require_known(name, known, "adapter.targets")
    by_layer = {"rank": settings.rank, "alpha": settings.alpha}
    for option, values in by_layer.items():
        for name in values if isinstance(values, dict) else ():
            # The network may be too small to have all of the published blocks.
            if name not in PUBLISHED_ALPHAS:
                _require_known(name, known, f"adapter.{option}")
    resolved = {}
    for layer in chosen:
        rank = _value(settings.rank, layer, 4)
        # There are no published alphas for the edges, where 1 is neutral.
        default = published_alphas.get(layer.block, 1.0 if layer.kind == "edge" else None)
        alpha = _value(settings.alpha, layer, default)
        if alpha is None:
            raise InputError(f"adapter.alpha: {layer.address} has no default; set adapter.alpha.{layer.block}")
        assert rank is not None
        resolved[layer.path] = LayerSettings(rank, float(alpha), settings.gamma)
    if issubclass(method, LoRA):  # its factors have the size of the rank
        size = max((layer.layer.weight[0].numel() for layer in chosen), default=0)
        for path, layer_setting in resolved.items():
            if layer_setting.rank > size:
                raise InputError(
                    f"adapter.rank {layer_setting.rank}: {path} and the other layers have at most {size} inputs per"
                    " output, so a low rank is less"
                )
    return resolved


def _is_named(layer: AdaptableLayer, names: Iterable[str]) -> bool:
    matching = [name for name in names if layer.matches(name)]
    if len(matching) > 1:
        raise InputError(
            f"adapter.targets: {layer.address} is matched twice, by {matching[0]!r} and by {matching[1]!r};"
            " remove one of them"
        )
    return bool(matching)


def _require_known(name: str, known: Sequence[AdaptableLayer], option: str) -> None:
    if not any(layer.matches(name) for layer in known):
        names = {own for layer in known for own in (layer.block, layer.kind)}
        raise InputError(f"{option}: {name!r} matches no adaptable layer of this network{nearest(name, names)}")


def _value(values: N | dict[str, N] | None, layer: AdaptableLayer, default: N | None) -> N | None:
    """The value for a layer: that of the last name that matches it, else the default."""
    if not isinstance(values, dict):
        return default if values is None else values
    matching = [value for name, value in values.items() if layer.matches(name)]
    return matching[-1] if matching else default


def make_adapters(network: BaseModel, method: str, layers: Mapping[str, LayerSettings]) -> dict[str, Adapter]:
    """Create untrained adapters: {path of the layer: adapter}; InputError if the network has no such layer."""
    kind = find_method(method)
    return {path: kind(layer_at(network, path), settings) for path, settings in layers.items()}


def layer_at(network: nn.Module, path: str) -> Layer:
    """The layer at a path; InputError if the network has none."""
    try:
        layer = network.get_submodule(path)
    except AttributeError:
        layer = None
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        raise InputError(f"{path!r} is not a layer of this network; the adapter belongs to another one")
    return layer


@contextlib.contextmanager
def adapted(network: BaseModel, adapters: Mapping[str, Adapter]) -> Iterator[dict[str, Tensor]]:
    """Freeze a network and attach adapters to it, trainable; afterwards the network is restored bit for bit.

    Yields copies of the batch-norm statistics, which are restored too, for :func:`moved_statistics`.
    """
    network.requires_grad_(False)
    statistics = {name: buffer.clone() for name, buffer in statistics_of(network).items()}
    attached: list[str] = []
    try:
        for path, adapter in adapters.items():
            adapter.attach(layer_at(network, path))
            attached.append(path)
        yield statistics
    finally:
        for path in attached:
            adapters[path].detach(layer_at(network, path))
        for name, buffer in statistics_of(network).items():
            buffer.copy_(statistics[name])


BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm
"""Training on several GPUs has ``SyncBatchNorm``."""


def batch_norms_of(network: nn.Module) -> dict[str, BatchNorm]:
    """The batch norms of a network by their paths."""
    return {path: module for path, module in network.named_modules() if isinstance(module, BatchNorm)}


def statistics_of(network: nn.Module) -> dict[str, Tensor]:
    """The batch-norm statistics: {path of the buffer: running mean or variance float32 (C,), or count int64 ()}."""
    return statistics_in(batch_norms_of(network))


def statistics_in(norms: Mapping[str, BatchNorm]) -> dict[str, Tensor]:
    """The statistics of some batch norms, as :func:`statistics_of`."""
    return {
        f"{path}.{name}": buffer for path, norm in norms.items() for name, buffer in norm.named_buffers(recurse=False)
    }


def moved_statistics(network: nn.Module, base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the batch-norm statistics that differ from those of the base (:func:`statistics_of`)."""
    return {
        name: buffer.detach().cpu().clone()
        for name, buffer in statistics_of(network).items()
        if not torch.equal(buffer.cpu(), base[name].cpu())
    }


def adapter_state(adapters: Mapping[str, Adapter]) -> dict[str, Tensor]:
    """The tensors of all adapters: {``layer path.tensor name``: tensor}."""
    return {
        f"{path}.{name}": tensor.detach()
        for path, adapter in adapters.items()
        for name, tensor in adapter.state_dict().items()
    }


def load_adapter_state(adapters: Mapping[str, Adapter], state: Mapping[str, Tensor], where: str) -> None:
    """Load tensors named as in :func:`adapter_state` strictly, and freeze the adapters; InputError unless they fit."""
    own = adapter_state(adapters)
    require_layout(own, state, where, "an adapter")
    require_finite(state, where)
    for name, tensor in own.items():
        tensor.copy_(state[name])
    for adapter in adapters.values():
        adapter.eval().requires_grad_(False)
