"""The layers of the networks on spectrograms as OpenVINO models, with the values of their inputs.

The inputs are the features, what the query decides and, unless they are constants, the weights of the layers. Batch
norms are always constants: with their scales as inputs, OpenVINO would not use its fast memory layout for the
convolutions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dplass_cli.models.base import Backbone, Controls
from dplass_cli.models.lasaft import ConditionedUNet, LaSAFTBlock
from dplass_cli.models.memory_efficient import SLOPE
from dplass_cli.models.openvino import openvino_module
from dplass_cli.models.resunet30 import DecoderBlock, EncoderBlock, ResidualBlock, ResUNetBase

_Feed = Callable[[Tensor, Controls], Tensor]


class BodyGraph(ABC):
    """A backbone as an OpenVINO model.

    Args:
        backbone: the backbone.
        constant_weights: the weights are constants of the model, as they must be to be quantised.

    Attributes:
        model: the ``openvino.Model``.
    """

    def __init__(self, backbone: Backbone, constant_weights: bool = False) -> None:
        openvino = openvino_module()
        self._ops, self._constant_weights = openvino.opset13, constant_weights
        self._inputs: list[Any] = []
        self._feeds: list[_Feed] = []
        output = self._ops.result(self._output(backbone))
        self.model = openvino.Model([output], self._inputs, type(backbone).__name__)

    @abstractmethod
    def _output(self, backbone: Any) -> Any:
        """Build :meth:`~dplass_cli.models.base.Backbone.body`, and return its output."""

    def inputs(self, x: Tensor, controls: Controls) -> list[npt.NDArray[np.float32]]:
        """The inputs of the model, in its order, for the arguments of ``body``."""
        return [feed(x, controls).detach().contiguous().numpy() for feed in self._feeds]

    def _input(self, shape: list[int], feed: _Feed) -> Any:
        """Add an input with a shape, where -1 means any size, and the function that computes its value."""
        self._inputs.append(self._ops.parameter(shape, np.float32))
        self._feeds.append(feed)
        return self._inputs[-1]

    def _weight(self, shape: list[int], value: Callable[[], Tensor]) -> Any:
        """A weight of this shape, and how it is computed: adapters may change it."""
        if self._constant_weights:
            return self._ops.constant(value().detach().contiguous().numpy())
        return self._input(shape, lambda *_: value())

    def _constant(self, values: Tensor) -> Any:
        return self._ops.constant(values.detach().contiguous().numpy())

    def _integers(self, *values: int) -> Any:
        return self._ops.constant(np.array(values, dtype=np.int64))

    def _norm(self, norm: nn.BatchNorm2d, x: Any, shift: Any) -> Any:
        """A batch norm of x, with what it adds."""
        return self._ops.add(self._ops.multiply(x, self._constant(_channels(_scale(norm)))), shift)

    def _convolution(self, layer: nn.Conv2d | nn.ConvTranspose2d, x: Any) -> Any:
        weight = self._weight(list(layer.weight.shape), lambda: layer.weight)
        assert not isinstance(layer.padding, str)
        pad, stride = list(layer.padding), list(layer.stride)
        if isinstance(layer, nn.ConvTranspose2d):
            y = self._ops.convolution_backprop_data(x, weight, stride)
        else:
            y = self._ops.convolution(x, weight, stride, pad, pad, [1, 1])
        return y if layer.bias is None else self._ops.add(y, self._constant(_channels(layer.bias)))


class ResUNetGraph(BodyGraph):
    """The graph of ResUNet30. The shifts of its batch norms contain the betas."""

    def _output(self, backbone: ResUNetBase) -> Any:
        x = self._input([-1, 1, -1, backbone.config.n_fft // 2], lambda x, _: x)
        x = self._convolution(backbone.pre_conv, x)
        skips = []
        for name in backbone.encoders:
            x, skip = self._encoder(backbone.get_submodule(name), x, name)
            skips.append(skip)
        x, _ = self._encoder(backbone.conv_block7a, x, "conv_block7a")
        for name in backbone.decoders:
            x = self._decoder(backbone.get_submodule(name), x, skips.pop(), name)
        return self._convolution(backbone.after_conv, x)

    def _encoder(self, block: nn.Module, x: Any, path: str) -> tuple[Any, Any]:
        assert isinstance(block, EncoderBlock)
        skip = self._residual(block.conv_block1, x, f"{path}.conv_block1")
        size = list(block.downsample)
        return self._ops.avg_pool(skip, size, [0, 0], [0, 0], size, exclude_pad=True), skip

    def _decoder(self, block: nn.Module, x: Any, skip: Any, path: str) -> Any:
        assert isinstance(block, DecoderBlock)
        x = self._convolution(block.conv1, self._conditioned(block.bn1, x, f"{path}.beta1"))
        return self._residual(block.conv_block2, self._ops.concat([x, skip], 1), f"{path}.conv_block2")

    def _residual(self, block: ResidualBlock, x: Any, path: str) -> Any:
        y = self._convolution(block.conv1, self._conditioned(block.bn1, x, f"{path}.beta1"))
        y = self._convolution(block.conv2, self._conditioned(block.bn2, y, f"{path}.beta2"))
        return self._ops.add(y, x if block.shortcut is None else self._convolution(block.shortcut, x))

    def _conditioned(self, norm: nn.BatchNorm2d, x: Any, beta: str) -> Any:
        shift = self._input([-1, norm.num_features, 1, 1], lambda _, betas: _channels(_shift(norm)) + betas[beta])
        return self._ops.prelu(self._norm(norm, x, shift), self._ops.constant(np.float32(SLOPE)))


class LaSAFTGraph(BodyGraph):
    """The graph of LaSAFT."""

    def _output(self, backbone: ConditionedUNet) -> Any:
        last = backbone.last_conv[0]
        assert isinstance(last, nn.Conv2d)
        x = self._input([-1, last.out_channels, -1, backbone.config.n_fft // 2 + 1], lambda x, _: x)
        x = self._ops.relu(self._normalised(backbone.first_conv, x))
        skips = []
        for number, (block, down) in enumerate(zip(backbone.encoders, backbone.downsamplings, strict=True)):
            skips.append(self._block(block, x, f"encoders.{number}"))
            x = self._normalised(down, skips[-1])
        x = self._block(backbone.mid_block, x, "mid_block")
        for number, (up, block) in enumerate(zip(backbone.upsamplings, backbone.decoders, strict=True)):
            joined = self._ops.concat([self._normalised(up, x), skips.pop()], 1)
            x = self._block(block, joined, f"decoders.{number}")
        y = self._convolution(last, x)
        activation = backbone.config.last_activation
        return y if activation == "identity" else getattr(self._ops, activation)(y)

    def _normalised(self, layers: nn.Module, x: Any) -> Any:
        """A layer and its batch norm, the first two of a sequence."""
        layer, norm = list(layers.children())[:2]
        assert isinstance(norm, nn.BatchNorm2d)
        if isinstance(layer, nn.Linear):
            y = self._linear(layer, x)
        else:
            assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
            y = self._convolution(layer, x)
        return self._norm(norm, y, self._constant(_channels(_shift(norm))))

    def _linear(self, layer: nn.Linear, x: Any) -> Any:
        """A linear map along the frequency axis."""
        y = self._ops.matmul(x, self._weight(list(layer.weight.shape), lambda: layer.weight), False, True)
        return y if layer.bias is None else self._ops.add(y, self._constant(layer.bias))

    def _transformation(self, layers: nn.Module, x: Any) -> Any:
        return self._ops.relu(self._normalised(layers, x))

    def _block(self, block: nn.Module, x: Any, path: str) -> Any:
        assert isinstance(block, LaSAFTBlock)
        first, *others = block.tfc.H
        output = self._ops.relu(self._normalised(first, x))
        for layer in others:
            x = self._ops.concat([output, x], 1)
            output = self._ops.relu(self._normalised(layer, x))
        if block.gated:
            output = self._gated(output, path)
        return self._ops.add(output, self._transformed(block, output, path))

    def _gated(self, x: Any, path: str) -> Any:
        """The query's gate: a point-wise convolution with weights and biases of each item's own."""
        width = x.get_output_partial_shape(0)[1].get_length()
        weight = self._input([-1, width, width], lambda _, controls: controls[f"{path}.weight"].transpose(1, 2))
        bias = self._input([-1, width, 1, 1], lambda _, controls: controls[f"{path}.bias"][..., None, None])
        maps = self._ops.reshape(x, self._integers(0, 0, -1), True)  # three dimensions: it is never quantised
        gate = self._ops.reshape(self._ops.matmul(weight, maps, False, False), self._ops.shape_of(x), False)
        return self._ops.multiply(x, self._ops.sigmoid(self._ops.add(gate, bias)))

    def _transformed(self, block: LaSAFTBlock, x: Any, path: str) -> Any:
        """The transformations of the latent sources, averaged by the query's attention."""
        count = block.keys.shape[1]
        shape = [-1, 1, 1, count, 1] if block.light else [-1, 1, 1, 1, count]
        attention = self._input(shape, lambda _, controls: controls[f"{path}.attention"].reshape(shape))
        if block.light:
            values = self._split(self._transformation(block.LaSAFT_bn_layer, x), count, -1)
            return self._transformation(block.LaSIFT, self._sum(self._ops.multiply(values, attention), 3))
        hidden = self._transformation(block.tdfs.tdf[:3], x)
        values = self._split(self._transformation(block.tdfs.tdf[3:], hidden), -1, count)
        return self._sum(self._ops.multiply(values, attention), 4)

    def _sum(self, x: Any, axis: int) -> Any:
        return self._ops.reduce_sum(x, self._integers(axis), False)

    def _split(self, x: Any, rows: int, columns: int) -> Any:
        """Split the last axis of (B, C, T, N) into two."""
        return self._ops.reshape(x, self._integers(0, 0, 0, rows, columns), True)


_GRAPHS: dict[type[Backbone], type[BodyGraph]] = {ResUNetBase: ResUNetGraph, ConditionedUNet: LaSAFTGraph}


def has_graph(backbone: Backbone) -> bool:
    """Whether a backbone can be built for OpenVINO."""
    return type(backbone) in _GRAPHS


def graph_of(backbone: Backbone, constant_weights: bool = False) -> BodyGraph:
    """Build the graph of a backbone that has one."""
    return _GRAPHS[type(backbone)](backbone, constant_weights)


def constants_of(backbone: Backbone, constant_weights: bool) -> dict[str, Tensor]:
    """The constants of a graph: batch norms and biases and, if they are constants, the weights of the layers."""
    state = backbone.state_dict(keep_vars=True)
    return {name: x for name, x in state.items() if x.dim() == 1 or (constant_weights and x.dim() > 1)}


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    """The factors of a batch norm, float32 (C,)."""
    assert norm.running_var is not None
    return norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)


def _shift(norm: nn.BatchNorm2d) -> Tensor:
    """What a batch norm adds, float32 (C,)."""
    assert norm.running_mean is not None
    return norm.bias.detach() - norm.running_mean * _scale(norm)


def _channels(values: Tensor) -> Tensor:
    """Values of C channels, to be added to maps: (1, C, 1, 1)."""
    return values[None, :, None, None]
