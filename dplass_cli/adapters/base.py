"""The adapter interface: a small trainable module that changes one frozen layer and can be removed again.

There are two kinds. A :class:`WeightAdapter` is a function of the layer's weight, W → W′: in training it is a
parametrization of the weight, so the network runs one convolution, and merging it is exact and free. A
:class:`BranchAdapter` computes in parallel to the layer and adds to its output, so it cannot be merged.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.utils import parametrize

from dplass_cli.models.base import Layer
from dplass_cli.options.adapter_settings import LARGEST_RANK

# DP-LASS's alphas depend on the depth (golden ``reconv_layout.json``: defaults.alpha_by_block).
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
class LayerSettings:
    """The settings of one adapted layer, resolved from :class:`AdapterSettings`.

    Attributes:
        rank: of the low-rank methods; divides the scale of ``reconv``.
        alpha: numerator of the scale.
        gamma: the inner channels of ``conv-adapter`` are the layer's inputs divided by it.
    """

    rank: int
    alpha: float
    gamma: int = 1

    def __post_init__(self) -> None:
        if not (1 <= self.rank <= LARGEST_RANK and 1 <= self.gamma <= LARGEST_RANK and math.isfinite(self.alpha)):
            raise ValueError(f"rank and gamma are from 1 to {LARGEST_RANK:,}, and alpha is a number")


class Adapter(nn.Module, ABC):
    """A trainable change of one frozen layer; an untrained one does not change the layer's output.

    Attributes:
        method: its name in the method table.
        linear: whether it is a weight delta, so that it can be merged, and averaged with others.
        published_alphas: DP-LASS's alphas by block.
        published_tensors: {name of a tensor: its name in DP-LASS's files, below the layer's path}; empty if there are
            no such files.
        published_frozen_copy: whether these files also store the frozen weight at ``W0``.
        published_layers: the types of layers for which DP-LASS defines how the tensors are applied.
    """

    method: ClassVar[str]
    linear: ClassVar[bool]
    published_alphas: ClassVar[Mapping[str, float]] = PUBLISHED_ALPHAS
    published_tensors: ClassVar[Mapping[str, str]] = {}
    published_frozen_copy: ClassVar[bool] = False
    published_layers: ClassVar[tuple[type[Layer], ...]] = (nn.Conv2d,)

    @classmethod
    def settings_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        """The settings that the tensors of an adapter determine: its ``rank`` or ``gamma``, or nothing."""
        return {}

    @abstractmethod
    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        """Create an untrained adapter for a layer; the layer is not changed."""
        super().__init__()

    @abstractmethod
    def attach(self, layer: Layer) -> None:
        """Attach the adapter to its layer, trainable."""

    @abstractmethod
    def detach(self, layer: Layer) -> None:
        """Remove the adapter; the layer is restored bit for bit."""


class WeightAdapter(Adapter):
    """An adapter that is a weight delta: ``forward(W)`` is W′, with the shape, dtype and device of W."""

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
        del layer.bias  # the weight was registered again, last; restore the order weight, bias
        layer.register_parameter("bias", bias)

    def rows(self, weight: Tensor) -> Tensor:
        """Flatten a kernel to (outputs, inputs·kh·kw); transposed convolutions have their outputs in axis 1."""
        return (weight.transpose(0, 1) if self.transposed else weight).flatten(1)

    def kernel_of(self, rows: Tensor, weight: Tensor) -> Tensor:
        """Reshape (outputs, inputs·kh·kw) to the shape of the kernel ``weight``; the inverse of :meth:`rows`."""
        if not self.transposed:
            return rows.reshape(weight.shape)
        return rows.reshape(weight.transpose(0, 1).shape).transpose(0, 1)


class BranchAdapter(Adapter):
    """An adapter in parallel to the layer: ``forward(x)`` is added to the layer's output for its input x."""

    linear = False

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the output for the layer's input x."""

    def attach(self, layer: Layer) -> None:
        layer.add_module("adapter", self)
        self._hook = layer.register_forward_hook(self._add)

    def detach(self, layer: Layer) -> None:
        self._hook.remove()
        del layer.adapter

    def _add(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        branch: Tensor = self(inputs[0])
        return output + branch
