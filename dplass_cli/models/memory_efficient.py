"""Steps of the network that keep little for the gradient, so that adapters train in less memory.

Autograd keeps what each step would need if everything were trained. Over frozen layers less will do.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.01  # of the leaky ReLU


def conditioned(norm: nn.BatchNorm2d, x: Tensor, beta: Tensor) -> Tensor:
    """Normalise x (B, C, T, F), add beta (B, C, 1, 1), apply the leaky ReLU: what goes into every convolution."""
    frozen = not (norm.training or norm.weight.requires_grad or norm.bias.requires_grad)
    if frozen and torch.is_grad_enabled():
        return cast(Tensor, _FrozenConditioned.apply(x, beta, norm))  # type: ignore[no-untyped-call]
    return F.leaky_relu_(norm(x) + beta, SLOPE)


class _FrozenConditioned(torch.autograd.Function):
    """:func:`conditioned` over a frozen norm: keeps its output only, which the convolution after it keeps anyway.

    As separate steps, the input of the norm and of the ReLU would be kept too: three maps, not one.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        y = F.leaky_relu_(norm(x) + beta, SLOPE)
        assert norm.running_var is not None
        ctx.save_for_backward(y, norm.weight * torch.rsqrt(norm.running_var + norm.eps))
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        y, scale = ctx.saved_tensors
        # True: y is the ReLU's result, whose sign is its input's, as the slope is positive.
        inner: Tensor = torch.ops.aten.leaky_relu_backward(gradients[0], y, SLOPE, True)
        into_beta = inner.sum(dim=(2, 3), keepdim=True) if ctx.needs_input_grad[1] else None
        into_x = inner.mul_(scale.to(inner.dtype)[:, None, None]) if ctx.needs_input_grad[0] else None
        return into_x, into_beta, None


def average_pool(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average pooling of x (B, C, T, F) over whole cells of a size, which divides T and F."""
    if size == (1, 1):
        return x
    if not torch.is_grad_enabled():
        return F.avg_pool2d(x, size)
    return cast(Tensor, _AveragePool.apply(x, size))  # type: ignore[no-untyped-call]


class _AveragePool(torch.autograd.Function):
    """Keeps nothing: each input's gradient is its cell's share. Autograd's own step keeps its input, for its shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int]) -> Tensor:
        ctx.size = size
        return F.avg_pool2d(x, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        time, frequency = ctx.size
        shared = gradients[0] / (time * frequency)
        return F.interpolate(shared, scale_factor=(float(time), float(frequency)), mode="nearest"), None


def pointwise(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a 1x1 convolution."""
    trained = any(parameter.requires_grad for parameter in layer.parameters())  # its own, or those of an adapter on it
    if trained or not torch.is_grad_enabled() or layer.kernel_size != (1, 1):
        return cast(Tensor, layer(x))
    return cast(Tensor, _FrozenPointwise.apply(x, layer))  # type: ignore[no-untyped-call]


class _FrozenPointwise(torch.autograd.Function):
    """Keeps the weight, which is there anyway. Autograd's own step keeps its input too, for the weight's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d) -> Tensor:
        ctx.save_for_backward(layer.weight)
        return cast(Tensor, layer(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        return F.conv_transpose2d(gradients[0], weight.to(gradients[0].dtype)), None
