"""The layers of a network that can be adapted, their names, and the selection of layers by settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from torch import nn

from dplass_cli.adapters.base import PUBLISHED_ALPHAS, Layer, LayerSettings
from dplass_cli.errors import InputError, nearest
from dplass_cli.models.resunet30 import DecoderBlock, EncoderBlock, ResidualBlock, ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class AdaptableLayer:
    """A layer that can be adapted.

    Attributes:
        address: its name for users: ``encoder1.conv1``, ``decoder2.upsample``, ``bottleneck.film2``, ``after_conv`` …
        kind: ``conv`` (3x3 of a residual block), ``shortcut`` (its 1x1), ``upsample`` (transposed), ``film``, ``edge``.
        path: its path in the network.
        layer: the layer itself.
    """

    address: str
    kind: str
    path: str
    layer: Layer

    @property
    def block(self) -> str:
        """``encoder1`` … ``bottleneck`` … ``decoder6``, ``pre_conv`` or ``after_conv``."""
        return self.address.partition(".")[0]

    def matches(self, name: str) -> bool:
        """Whether a name, possibly with ``*`` and ``?``, matches its address, its block or its kind."""
        return any(fnmatchcase(own, name) for own in (self.address, self.block, self.kind))


def adaptable_layers(network: ResUNet30) -> list[AdaptableLayer]:
    """List all layers that can be adapted, in forward order; layers that no forward pass reads are left out."""
    base = network.base
    found = [AdaptableLayer("pre_conv", "edge", "base.pre_conv", base.pre_conv)]
    for name, block in base.blocks().items():
        block_name = "bottleneck" if name == "conv_block7a" else name.replace("_block", "")
        if isinstance(block, EncoderBlock):
            found += _residual(block_name, f"base.{name}.conv_block1", block.conv_block1)
            betas = {"film1": "conv_block1.beta1", "film2": "conv_block1.beta2"}
        else:
            assert isinstance(block, DecoderBlock)
            found.append(AdaptableLayer(f"{block_name}.upsample", "upsample", f"base.{name}.conv1", block.conv1))
            found += _residual(block_name, f"base.{name}.conv_block2", block.conv_block2)
            betas = {"film_upsample": "beta1", "film1": "conv_block2.beta1", "film2": "conv_block2.beta2"}
        for layer, beta in betas.items():
            path = "film." + f"{name}.{beta}".replace(".", "->")
            found.append(AdaptableLayer(f"{block_name}.{layer}", "film", path, _linear(network, path)))
    return [*found, AdaptableLayer("after_conv", "edge", "base.after_conv", base.after_conv)]


def _residual(block: str, path: str, residual: ResidualBlock) -> Iterator[AdaptableLayer]:
    for name in ("conv1", "conv2"):
        yield AdaptableLayer(f"{block}.{name}", "conv", f"{path}.{name}", residual.get_submodule(name))  # type: ignore[arg-type]
    if residual.shortcut is not None:
        yield AdaptableLayer(f"{block}.shortcut", "shortcut", f"{path}.shortcut", residual.shortcut)


def _linear(network: ResUNet30, path: str) -> nn.Linear:
    layer = network.get_submodule(path)
    assert isinstance(layer, nn.Linear)
    return layer


def select_layers(
    network: ResUNet30, settings: AdapterSettings, published_alphas: Mapping[str, float]
) -> dict[str, LayerSettings]:
    """Resolve settings for a network: {path of an adapted layer: its settings}, in forward order.

    Args:
        network: the network.
        settings: the names of layers to adapt, with ranks and alphas.
        published_alphas: default alphas by block.

    Raises:
        InputError: a name matches no layer, a layer is matched by two names, or a layer has no alpha.
    """
    known = adaptable_layers(network)
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
    return resolved


def _is_named(layer: AdaptableLayer, names: Iterable[str]) -> bool:
    matching = [name for name in names if layer.matches(name)]
    if len(matching) > 1:
        raise InputError(
            f"adapter.targets: {layer.address} is matched twice, by {matching[0]!r} and by {matching[1]!r};"
            " remove one of them"
        )
    return bool(matching)


def _require_known(name: str, known: list[AdaptableLayer], option: str) -> None:
    if not any(layer.matches(name) for layer in known):
        names = {own for layer in known for own in (layer.block, layer.kind)}
        raise InputError(f"{option}: {name!r} matches no adaptable layer of this network{nearest(name, names)}")


def _value(values: N | dict[str, N] | None, layer: AdaptableLayer, default: N | None) -> N | None:
    """The value for a layer: that of the last name that matches it, else the default."""
    if not isinstance(values, dict):
        return default if values is None else values
    matching = [value for name, value in values.items() if layer.matches(name)]
    return matching[-1] if matching else default
