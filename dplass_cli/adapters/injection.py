"""The method table, making adapters for a network, and putting them on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Adapter, AdapterSettings, Layer, LayerSettings
from dplass_cli.adapters.conv_adapter import ConvAdapter
from dplass_cli.adapters.dora import DoRA
from dplass_cli.adapters.layers import select
from dplass_cli.adapters.lora import LoRA
from dplass_cli.adapters.reconv import ReConv
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.models.resunet30 import ResUNet30

METHODS: dict[str, type[Adapter]] = {method.method: method for method in (ReConv, LoRA, DoRA, ConvAdapter)}


def find_method(name: str) -> type[Adapter]:
    """Look a method up in the table.

    Raises:
        InputError: there is none of that name.
    """
    if name not in METHODS:
        raise InputError(f"adapter method {name!r} is unknown{nearest(name, METHODS)}")
    return METHODS[name]


def layer_settings(network: ResUNet30, settings: AdapterSettings) -> dict[str, LayerSettings]:
    """Resolve settings for a network: {path of an adapted layer: its settings}.

    Raises:
        InputError: an unknown method; or as :func:`~dplass_cli.adapters.layers.select`.
    """
    return select(network, settings, find_method(settings.method).published_alphas)


def make_adapters(network: ResUNet30, method: str, layers: Mapping[str, LayerSettings]) -> dict[str, Adapter]:
    """Make fresh adapters: {path of the layer: adapter}; the network is not touched.

    Raises:
        InputError: an unknown method, or a path that is no layer of the network.
    """
    kind = find_method(method)
    return {path: kind(layer_at(network, path), settings) for path, settings in layers.items()}


def layer_at(network: nn.Module, path: str) -> Layer:
    """The layer of a path.

    Raises:
        InputError: the network has no such layer.
    """
    try:
        layer = network.get_submodule(path)
    except AttributeError:
        layer = None
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        raise InputError(f"{path!r} is no layer of this network; the adapter belongs to another one")
    return layer


@contextlib.contextmanager
def adapted(network: ResUNet30, adapters: Mapping[str, Adapter]) -> Iterator[dict[str, Tensor]]:
    """Freeze a network and put adapters on it, trainable; afterwards it is what it was, bit for bit.

    That holds for the batch-norm statistics too. Yields copies of them; inside the block, :func:`moved_statistics`
    tells what training made of them.
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


def statistics_of(network: nn.Module) -> dict[str, Tensor]:
    """The batch-norm statistics: {path of the buffer: running mean or variance float32 (C,), or count int64 ()}."""
    return {
        f"{path}.{name}": buffer
        for path, module in network.named_modules()
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm))  # the latter while several GPUs train
        for name, buffer in module.named_buffers()
    }


def moved_statistics(network: nn.Module, base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the batch-norm statistics that differ from those of the base (:func:`statistics_of` it)."""
    return {
        name: buffer.detach().cpu().clone()
        for name, buffer in statistics_of(network).items()
        if not torch.equal(buffer.cpu(), base[name].cpu())
    }


def adapter_state(adapters: Mapping[str, Adapter]) -> dict[str, Tensor]:
    """The adapters' tensors by ``layer path.tensor name``."""
    return {
        f"{path}.{name}": tensor.detach()
        for path, adapter in adapters.items()
        for name, tensor in adapter.state_dict().items()
    }


def load_adapter_state(adapters: Mapping[str, Adapter], state: Mapping[str, Tensor], where: str) -> None:
    """Fill adapters from tensors named as :func:`adapter_state` names them, strictly, and freeze them.

    Raises:
        InputError: missing or unexpected tensors, other shapes, values that are not finite; begins with ``where``.
    """
    own = adapter_state(adapters)
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unexpected:
        raise InputError(
            f"{where}: not an adapter of this network; missing: {some(missing, 3) or 'none'};"
            f" unexpected: {some(unexpected, 3) or 'none'}"
        )
    for name, tensor in own.items():
        check_tensor(name, state[name], tensor, where)
        tensor.copy_(state[name])
    for adapter in adapters.values():
        adapter.eval().requires_grad_(False)


def check_tensor(name: str, tensor: Tensor, expected: Tensor, where: str) -> None:
    """Refuse a tensor of another shape than expected, or with values that are not finite.

    Raises:
        InputError: as said; begins with ``where``.
    """
    if tensor.shape != expected.shape:
        raise InputError(
            f"{where}: {name} has shape {list(tensor.shape)}, this network needs {list(expected.shape)};"
            " the adapter belongs to a network of another width"
        )
    if not torch.isfinite(tensor).all():
        raise InputError(f"{where}: {name} holds values that are not finite; the file is damaged")
