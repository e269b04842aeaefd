"""The adapter contract: a small trainable module that changes one frozen layer and can be taken off again.

There are two kinds. A :class:`WeightAdapter` is a function of the layer's weight, W → W′: in training it is a
parametrization of that weight, so the network runs one convolution; merged, it costs nothing. A :class:`BranchAdapter`
computes beside the layer and adds to its output, so it cannot merge.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear

_LARGEST_RANK = 1 << 20

# The published depth-dependent alphas (golden ``reconv_layout.json``: defaults.alpha_by_block).
PUBLISHED_ALPHAS: dict[str, float] = {
    "encoder1": 1.0,
    "encoder2": 2.0,
    "encoder3": 4.0,
    "encoder4": 8.0,
    "encoder5": 12.0,
    "encoder6": 16.0,
    "bottleneck": 16.0,
    "decoder1": 16.0,
    "decoder2": 16.0,
    "decoder3": 12.0,
    "decoder4": 8.0,
    "decoder5": 4.0,
    "decoder6": 2.0,
}


@dataclass(frozen=True)
class AdapterSettings:
    """What the user asks for; the defaults are the published ones (golden ``*_layout.json``).

    Layers are named by :mod:`dplass_cli.adapters.layers`: an address (``encoder1.conv2``), a block (``bottleneck``) or
    a kind (``conv``, ``shortcut``, ``upsample``, ``film``), with ``*`` and ``?``.

    Attributes:
        method: a name of :data:`dplass_cli.adapters.METHODS`.
        targets: the layers that are adapted; each of them by exactly one entry.
        rank: of the low-rank methods; in ``reconv`` a divisor of the scale. One number, or numbers by layer.
        alpha: numerator of the scale. One number, or numbers by layer over the method's published ones.
        gamma: ``conv-adapter`` only: the channels inside are the layer's inputs divided by it.
        batchnorm: ``frozen`` keeps the base's statistics; ``adapt`` lets training move them, as the published one did,
            and stores them with the adapter.
        dtype: of the adapter's tensors on disk.
    """

    method: str = "reconv"
    targets: tuple[str, ...] = ("conv",)
    rank: int | dict[str, int] = 4
    alpha: float | dict[str, float] | None = None
    gamma: int = 1
    batchnorm: Literal["frozen", "adapt"] = "frozen"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        ranks = list(self.rank.values()) if isinstance(self.rank, dict) else [self.rank]
        for name, value in [*(("rank", rank) for rank in ranks), ("gamma", self.gamma)]:
            if not 1 <= value <= _LARGEST_RANK:
                raise ValueError(f"adapter {name} must be from 1 to {_LARGEST_RANK:,}, not {value}")
        alphas = list(self.alpha.values()) if isinstance(self.alpha, dict) else [self.alpha]
        if 0 in alphas:
            raise ValueError("adapter alpha must not be 0: such an adapter changes nothing; leave it out")
        if not self.targets:
            raise ValueError("adapter targets are empty; leave them out for the published ones")


@dataclass(frozen=True)
class LayerSettings:
    """The settings of one adapted layer, as :class:`AdapterSettings` resolves them."""

    rank: int
    alpha: float
    gamma: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.rank <= _LARGEST_RANK and 1 <= self.gamma <= _LARGEST_RANK and math.isfinite(self.alpha)):
            raise ValueError(f"rank and gamma are from 1 to {_LARGEST_RANK:,}, and alpha is a number")


class Adapter(nn.Module, ABC):
    """A trainable change of one frozen layer; a fresh one leaves the layer's output as it is.

    Class attributes:
        method: its name in the method table.
        linear: the adapted layer is the same layer with another weight, so the adapter merges and its weight deltas
            can be averaged with those of others.
        published_alphas: alpha by block.
        published_tensors: {our tensor: its name in published files, below the layer's path}; empty for none.
    """

    method: ClassVar[str]
    linear: ClassVar[bool]
    published_alphas: ClassVar[Mapping[str, float]] = PUBLISHED_ALPHAS
    published_tensors: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        """Make a fresh adapter of a layer; the layer is not touched."""
        super().__init__()

    @abstractmethod
    def attach(self, layer: Layer) -> None:
        """Put the adapter on its layer, trainable."""

    @abstractmethod
    def detach(self, layer: Layer) -> None:
        """Take it off again; the layer is what it was, bit for bit."""


class WeightAdapter(Adapter):
    """An adapter that is a function of the weight: ``forward(W)`` is W′, of W's shape, dtype and device."""

    linear = True

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        nn.Module.__init__(self)
        self.transposed = isinstance(layer, nn.ConvTranspose2d)

    @abstractmethod
    def forward(self, weight: Tensor) -> Tensor:
        """Return W′ for the frozen weight W."""

    def attach(self, layer: Layer) -> None:
        parametrize.register_parametrization(layer, "weight", self)

    def detach(self, layer: Layer) -> None:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
        bias = layer.bias
        assert bias is None or isinstance(bias, nn.Parameter)
        del layer.bias  # the weight came back last; the layer's order is weight, bias
        layer.register_parameter("bias", bias)

    def rows(self, weight: Tensor) -> Tensor:
        """Flatten a kernel to (outputs, inputs·kh·kw); in a transposed convolution the outputs are axis 1."""
        return (weight.transpose(0, 1) if self.transposed else weight).flatten(1)

    def kernel_of(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Shape (outputs, inputs·kh·kw) as the kernel ``weight``: the inverse of :meth:`rows`."""
        if not self.transposed:
            return rows.reshape(weight.shape)
        return rows.reshape(weight.transpose(0, 1).shape).transpose(0, 1)


class BranchAdapter(Adapter):
    """An adapter beside the layer: ``forward(x)`` is what is added to the layer's output for its input x."""

    linear = False

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return what the branch adds for the layer's input."""

    def attach(self, layer: Layer) -> None:
        layer.add_module("adapter", self)
        self._hook = layer.register_forward_hook(self._add)

    def detach(self, layer: Layer) -> None:
        self._hook.remove()
        del layer.adapter

    def _add(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        branch: Tensor = self(inputs[0])
        return output + branch
