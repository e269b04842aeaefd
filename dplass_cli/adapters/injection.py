"""The table of adapter methods, creating adapters for a network, and attaching them to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from dplass_cli.adapters.base import Adapter, Layer, LayerSettings
from dplass_cli.adapters.conv_adapter import ConvAdapter
from dplass_cli.adapters.dora import DoRA
from dplass_cli.adapters.layers import select_layers
from dplass_cli.adapters.lora import LoRA
from dplass_cli.adapters.reconv import ReConv
from dplass_cli.errors import InputError, check_choice, some
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings

METHODS: dict[str, type[Adapter]] = {method.method: method for method in (ReConv, LoRA, DoRA, ConvAdapter)}


def find_method(name: str, where: str = "--adapter") -> type[Adapter]:
    """Look up an adapter method by its name.

    Args:
        name: a key of :data:`METHODS`.
        where: the flag or the file that names it, for the error message.

    Raises:
        InputError: the name is unknown.
    """
    check_choice(where, name, METHODS)
    return METHODS[name]


def layer_settings(network: ResUNet30, settings: AdapterSettings) -> dict[str, LayerSettings]:
    """Resolve settings for a network: {path of an adapted layer: its settings}.

    Raises:
        InputError: the method or a layer's name is unknown, a layer is named twice, or a layer has no alpha.
    """
    return select_layers(network, settings, find_method(settings.method).published_alphas)


def make_adapters(network: ResUNet30, method: str, layers: Mapping[str, LayerSettings]) -> dict[str, Adapter]:
    """Create untrained adapters: {path of the layer: adapter}; the network is not changed.

    Raises:
        InputError: the method is unknown, or the network has no layer at a path.
    """
    kind = find_method(method)
    return {path: kind(layer_at(network, path), settings) for path, settings in layers.items()}


def layer_at(network: nn.Module, path: str) -> Layer:
    """The layer at a path.

    Raises:
        InputError: the network has no such layer.
    """
    try:
        layer = network.get_submodule(path)
    except AttributeError:
        layer = None
    if not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        raise InputError(f"{path!r} is not a layer of this network; the adapter belongs to another one")
    return layer


@contextlib.contextmanager
def adapted(network: ResUNet30, adapters: Mapping[str, Adapter]) -> Iterator[dict[str, Tensor]]:
    """Freeze a network and attach adapters to it, trainable; afterwards the network is restored bit for bit.

    Yields:
        Copies of the batch-norm statistics, which are restored too; inside the block, :func:`moved_statistics` returns
        those that training has changed.
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
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm))  # SyncBatchNorm while training on several GPUs
        for name, buffer in module.named_buffers()
    }


def moved_statistics(network: nn.Module, base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the batch-norm statistics that differ from those of the base.

    Args:
        network: the network.
        base: what :func:`statistics_of` returned for the base.
    """
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
    """Load tensors named as in :func:`adapter_state` into adapters, strictly, and freeze the adapters.

    Args:
        adapters: {path of the layer: adapter}.
        state: the tensors.
        where: the start of error messages, such as the file's path.

    Raises:
        InputError: tensors are missing or unexpected, shapes differ, or values are not finite.
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
    """Check that a tensor has the expected shape and finite values.

    Args:
        name: its name, for the message.
        tensor: the tensor.
        expected: a tensor of the expected shape.
        where: the start of error messages.

    Raises:
        InputError: the shape differs, or a value is not finite.
    """
    if tensor.shape != expected.shape:
        raise InputError(
            f"{where}: {name} has shape {list(tensor.shape)}, this network needs {list(expected.shape)};"
            " the adapter belongs to a network of another configuration"
        )
    if not torch.isfinite(tensor).all():
        raise InputError(f"{where}: {name} contains values that are not finite; the file is damaged")
