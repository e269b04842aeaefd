"""Which weights of a network are adapted, and putting adapters on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dplass_cli.adapters.base import Adapter, AdapterSettings
from dplass_cli.adapters.reconv import ReConv
from dplass_cli.errors import InputError, nearest, some
from dplass_cli.models.resunet30 import ResidualBlock, ResUNet30

METHODS: dict[str, type[Adapter]] = {ReConv.method: ReConv}


@dataclass(frozen=True)
class Target:
    """One adapted layer: its block (``encoder1`` …), its path in the network, the layer."""

    block: str
    path: str
    layer: nn.Conv2d


def targets(network: ResUNet30) -> list[Target]:
    """List the published targets in forward order: both 3x3 convolutions of every residual block."""
    found = []
    for name, block in network.base.blocks().items():
        for path, module in block.named_modules():
            if isinstance(module, ResidualBlock):
                for conv in ("conv1", "conv2"):
                    layer = module.get_submodule(conv)
                    assert isinstance(layer, nn.Conv2d)
                    found.append(Target(_block_name(name), f"base.{name}.{path}.{conv}", layer))
    return found


def _block_name(attribute: str) -> str:
    return "bottleneck" if attribute == "conv_block7a" else attribute.replace("_block", "")


def make_adapters(network: ResUNet30, settings: AdapterSettings) -> dict[str, Adapter]:
    """Make a fresh adapter for every target: {path of the layer: adapter}; the network is not touched.

    Raises:
        InputError: an unknown method, or an alpha for a block that the network does not have or lacks one for.
    """
    if settings.method not in METHODS:
        raise InputError(f"adapter method {settings.method!r} is unknown{nearest(settings.method, METHODS)}")
    method = METHODS[settings.method]
    found = targets(network)
    blocks = {target.block for target in found}
    lacking = sorted(blocks - settings.alpha.keys())
    if lacking:
        raise InputError(f"adapter alpha is not given for {some(lacking)}; set adapter.alpha.{lacking[0]}")
    unmatched = sorted(settings.alpha.keys() - blocks - AdapterSettings().alpha.keys())
    if unmatched:
        raise InputError(
            f"adapter alpha names no block of this network: {unmatched[0]!r}{nearest(unmatched[0], blocks)}"
        )
    return {
        target.path: method(target.layer.weight.detach(), settings.rank, settings.alpha[target.block])
        for target in found
    }


def inject(network: ResUNet30, adapters: Mapping[str, Adapter]) -> None:
    """Freeze the network and put the adapters on its weights, trainable, one convolution a layer."""
    network.requires_grad_(False)
    for path, adapter in adapters.items():
        parametrize.register_parametrization(network.get_submodule(path), "weight", adapter)


def eject(network: ResUNet30, adapters: Mapping[str, Adapter]) -> None:
    """Take injected adapters off again; the weights are the base's, bit for bit."""
    for path in adapters:
        parametrize.remove_parametrizations(network.get_submodule(path), "weight", leave_parametrized=False)


def adapter_state(adapters: Mapping[str, Adapter]) -> dict[str, Tensor]:
    """The adapters' tensors by ``layer path.tensor name``."""
    return {
        f"{path}.{name}": tensor.detach()
        for path, adapter in adapters.items()
        for name, tensor in adapter.state_dict().items()
    }


def load_adapter_state(adapters: Mapping[str, Adapter], state: Mapping[str, Tensor], where: str) -> None:
    """Fill adapters from tensors named as :func:`adapter_state` names them, strictly.

    Raises:
        InputError: missing or unexpected tensors, other shapes, values that are not finite; begins with ``where``.
    """
    own = {f"{p}.{name}": tensor for p, adapter in adapters.items() for name, tensor in adapter.state_dict().items()}
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unexpected:
        raise InputError(
            f"{where}: not an adapter of this network; missing: {some(missing, 3) or 'none'};"
            f" unexpected: {some(unexpected, 3) or 'none'}"
        )
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{where}: {name} has shape {list(state[name].shape)}, this network needs {list(tensor.shape)};"
                " the adapter belongs to a network of another width"
            )
        if not torch.isfinite(state[name]).all():
            raise InputError(f"{where}: {name} holds values that are not finite; the file is damaged")
        tensor.copy_(state[name])
