"""Conv-Adapter: a bottleneck in parallel to each layer (Chen et al., "Conv-Adapter", 2022), as in DP-LASS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.adapters.base import PUBLISHED_ALPHAS, BranchAdapter, LayerSettings
from dplass_cli.errors import InputError
from dplass_cli.models.base import Layer

_SLOPE = 0.01


class ConvAdapter(BranchAdapter):
    """y = layer(x) + alpha · up(leaky(down(depthwise(x)))) (golden ``conv_adapter_layout.json``).

    ``depthwise`` has the type, kernel, stride and padding of the layer; ``down`` and ``up`` are 1x1. The branch is not
    linear, so it cannot be merged. DP-LASS initialises all three with Kaiming values, which changes the network before
    any training; here ``up`` starts at zero, so that an untrained adapter changes nothing.
    """

    method = "conv-adapter"
    published_alphas: ClassVar[Mapping[str, float]] = dict.fromkeys(PUBLISHED_ALPHAS, 1.0)
    published_tensors: ClassVar[Mapping[str, str]] = {
        "depthwise": "depthwise_conv.weight",
        "down": "channel_down.weight",
        "up": "pointwise_conv.weight",
    }

    @classmethod
    def settings_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        inside, inputs = tensors["down"].shape[:2]
        return {"gamma": inputs // max(1, inside)}

    def __init__(self, layer: Layer, settings: LayerSettings) -> None:
        nn.Module.__init__(self)
        self.linear_layer = isinstance(layer, nn.Linear)
        self.transposed = isinstance(layer, nn.ConvTranspose2d)
        kernel: tuple[int, ...] = (1, 1)
        self.stride: tuple[int, ...] = (1, 1)
        self.padding: tuple[int, ...] = (0, 0)
        if isinstance(layer, nn.Linear):
            inputs, outputs = layer.in_features, layer.out_features
        else:
            assert not isinstance(layer.padding, str)
            inputs, outputs, kernel = layer.in_channels, layer.out_channels, layer.kernel_size
            self.stride, self.padding = layer.stride, layer.padding
        inside = inputs // settings.gamma
        if inside < 1:
            raise InputError(
                f"adapter.gamma {settings.gamma}: leaves no channel inside a layer of {inputs} inputs; reduce it"
            )
        weight = layer.weight.detach()
        self.depthwise = nn.Parameter(weight.new_empty(inputs, 1, *kernel))
        self.down = nn.Parameter(weight.new_empty(inside, inputs, 1, 1))
        self.up = nn.Parameter(weight.new_zeros(outputs, inside, 1, 1))
        for tensor in (self.depthwise, self.down):
            nn.init.kaiming_normal_(tensor, nonlinearity="leaky_relu")
        self.alpha = settings.alpha

    def forward(self, x: Tensor) -> Tensor:
        image = x[:, :, None, None] if self.linear_layer else x  # a linear map is a 1x1 convolution of a 1x1 image
        convolve = F.conv_transpose2d if self.transposed else F.conv2d
        inside = convolve(image, self.depthwise, None, self.stride, self.padding, groups=len(self.depthwise))
        added: Tensor = self.alpha * F.conv2d(F.leaky_relu(F.conv2d(inside, self.down), _SLOPE), self.up)
        return added[:, :, 0, 0] if self.linear_layer else added
