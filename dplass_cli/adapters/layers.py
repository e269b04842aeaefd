"""Which layers of a network can be adapted, what they are called, and which of them the settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from torch import nn

from dplass_cli.adapters.base import PUBLISHED_ALPHAS, AdapterSettings, Layer, LayerSettings
from dplass_cli.errors import InputError, nearest
from dplass_cli.models.resunet30 import DecoderBlock, EncoderBlock, ResidualBlock, ResUNet30

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class AdaptableLayer:
    """A layer that can be adapted.

    Attributes:
        address: what users call it: ``encoder1.conv1``, ``decoder2.upsample``, ``bottleneck.film2``, ``after_conv`` …
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

    def answers_to(self, name: str) -> bool:
        """Whether a name (with ``*`` and ``?``) is its address, its block or its kind."""
        return any(fnmatchcase(own, name) for own in (self.address, self.block, self.kind))


def adaptable_layers(network: ResUNet30) -> list[AdaptableLayer]:
    """List all layers that can be adapted, in forward order; layers that no forward reads are not among them."""
    base = network.base
    found = [AdaptableLayer("pre_conv", "edge", "base.pre_conv", base.pre_conv)]
    for name, block in base.blocks().items():
        called = "bottleneck" if name == "conv_block7a" else name.replace("_block", "")
        if isinstance(block, EncoderBlock):
            found += _residual(called, f"base.{name}.conv_block1", block.conv_block1)
            betas = {"film1": "conv_block1.beta1", "film2": "conv_block1.beta2"}
        else:
            assert isinstance(block, DecoderBlock)
            found.append(AdaptableLayer(f"{called}.upsample", "upsample", f"base.{name}.conv1", block.conv1))
            found += _residual(called, f"base.{name}.conv_block2", block.conv_block2)
            betas = {"film_upsample": "beta1", "film1": "conv_block2.beta1", "film2": "conv_block2.beta2"}
        for layer, beta in betas.items():
            path = "film." + f"{name}.{beta}".replace(".", "->")
            found.append(AdaptableLayer(f"{called}.{layer}", "film", path, _linear(network, path)))
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


def select(
    network: ResUNet30, settings: AdapterSettings, published_alphas: Mapping[str, float]
) -> dict[str, LayerSettings]:
    """Resolve settings for a network: {path of an adapted layer: its settings}, in forward order.

    Raises:
        InputError: a name that no layer answers to, a layer that two targets name, or one without an alpha.
    """
    known = adaptable_layers(network)
    chosen = [target for target in known if _named_once(target, settings.targets)]
    for name in settings.targets:
        _require_known(name, known, "adapter.targets")
    by_layer = {"rank": settings.rank, "alpha": settings.alpha}
    for option, values in by_layer.items():
        for name in values if isinstance(values, dict) else ():
            # A published block that this network is too small to have is no mistake.
            if name not in PUBLISHED_ALPHAS:
                _require_known(name, known, f"adapter.{option}")
    resolved = {}
    for target in chosen:
        rank = _value(settings.rank, target, 4)
        # Nothing is published for the edges; there the scale is neutral.
        alpha = _value(
            settings.alpha, target, published_alphas.get(target.block, 1.0 if target.kind == "edge" else None)
        )
        if alpha is None:
            raise InputError(f"no alpha is published for {target.address}; set adapter.alpha.{target.block}")
        assert rank is not None
        resolved[target.path] = LayerSettings(rank, float(alpha), settings.gamma)
    return resolved


def _named_once(target: AdaptableLayer, names: Iterable[str]) -> bool:
    naming = [name for name in names if target.answers_to(name)]
    if len(naming) > 1:
        raise InputError(f"adapter.targets: {target.address} is named twice, by {naming[0]!r} and by {naming[1]!r}")
    return bool(naming)


def _require_known(name: str, known: list[AdaptableLayer], option: str) -> None:
    if not any(target.answers_to(name) for target in known):
        names = {own for target in known for own in (target.block, target.kind)}
        raise InputError(f"{option}: {name!r} names no layer of this network that can be adapted{nearest(name, names)}")


def _value(values: N | dict[str, N] | None, target: AdaptableLayer, default: N | None) -> N | None:
    """The value for a layer: of the last name that it answers to, else the default."""
    if not isinstance(values, dict):
        return default if values is None else values
    matching = [value for name, value in values.items() if target.answers_to(name)]
    return matching[-1] if matching else default
