"""Operations for training whose backward passes take less memory or time than autograd's.

Autograd saves what each operation would need if everything were trained; with frozen layers less is enough.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

SLOPE = 0.01  # of the leaky ReLU
_BACKWARD = torch.ops.aten.convolution_backward
_POSITIONS = 4096  # of a part of a map in the gradient of a kernel


def conditioned(norm: nn.BatchNorm2d, x: Tensor, beta: Tensor) -> Tensor:
    """Normalise x (B, C, T, F), add beta (B, C, 1, 1) and apply the leaky ReLU; this precedes every convolution."""
    frozen = not (norm.training or norm.weight.requires_grad or norm.bias.requires_grad)
    if frozen and torch.is_grad_enabled():
        return cast(Tensor, _FrozenConditioned.apply(x, beta, norm))  # type: ignore[no-untyped-call]
    return F.leaky_relu_(norm(x) + beta, SLOPE)


class _FrozenConditioned(torch.autograd.Function):
    """:func:`conditioned` for a frozen norm; saves its output only, which the following convolution saves anyway.

    As separate operations, the inputs of the norm and of the ReLU would be saved too: three maps instead of one.
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
        # True says that y is the output of the ReLU, which has the sign of its input since the slope is positive.
        grad: Tensor = torch.ops.aten.leaky_relu_backward(gradients[0], y, SLOPE, True)
        grad_beta = grad.sum(dim=(2, 3), keepdim=True) if ctx.needs_input_grad[1] else None
        grad_x = grad.mul_(scale.to(grad.dtype)[:, None, None]) if ctx.needs_input_grad[0] else None
        return grad_x, grad_beta, None


def average_pool(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average x (B, C, T, F) over cells of ``size``, which must divide (T, F)."""
    if size == (1, 1):
        return x
    if not torch.is_grad_enabled():
        return F.avg_pool2d(x, size)
    return cast(Tensor, _AveragePool.apply(x, size))  # type: ignore[no-untyped-call]


class _AveragePool(torch.autograd.Function):
    """Saves nothing: each input gets an equal share of its cell's gradient. Autograd would save the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: tuple[int, int]) -> Tensor:
        ctx.size = size
        return F.avg_pool2d(x, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        time, frequency = ctx.size
        share = gradients[0] / (time * frequency)
        return F.interpolate(share, scale_factor=(float(time), float(frequency)), mode="nearest"), None


def pointwise(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution to x (B, C, T, F); a frozen 1x1 convolution saves no input for the backward pass."""
    trained = any(
        parameter.requires_grad for parameter in layer.parameters()
    )  # its own parameters, or those of an adapter on it
    if trained or not torch.is_grad_enabled() or layer.kernel_size != (1, 1):
        return cast(Tensor, layer(x))
    return cast(Tensor, _FrozenPointwise.apply(x, layer))  # type: ignore[no-untyped-call]


class _FrozenPointwise(torch.autograd.Function):
    """Saves the weight, which exists anyway. Autograd would also save the input, for the gradient of the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d) -> Tensor:
        ctx.save_for_backward(layer.weight)
        return cast(Tensor, layer(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        gradient = gradients[0].movedim(1, -1)  # with channels last, the rows of a matrix
        return (gradient @ weight.flatten(1).to(gradient.dtype)).movedim(-1, 1), None


def convolution(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution without a bias to x (B, C, T, F); its backward pass is faster on a CPU."""
    if x.device.type != "cpu" or layer._forward_hooks:
        return cast(Tensor, layer(x))
    in_half = torch.is_autocast_enabled("cpu")
    if torch.is_grad_enabled() and (factors := _factors(layer)):
        dtype = torch.get_autocast_dtype("cpu") if in_half else x.dtype
        with torch.no_grad():
            weight = layer.weight.to(dtype)
        given = x.to(dtype), weight, *(factor.to(dtype) for factor in factors), _geometry(layer)
        return cast(Tensor, _LowRankConvolution.apply(*given))  # type: ignore[no-untyped-call]
    if in_half:
        return cast(Tensor, layer(x))
    weight = layer.weight  # computed here where an adapter is attached
    if not (torch.is_grad_enabled() and weight.requires_grad):
        return F.conv2d(x, weight, None, layer.stride, layer.padding)
    return cast(Tensor, _TrainedConvolution.apply(x, weight, _geometry(layer)))  # type: ignore[no-untyped-call]


def _geometry(layer: nn.Conv2d) -> tuple[Any, ...]:
    """What :data:`_BACKWARD` asks about a convolution without a bias."""
    return None, layer.stride, layer.padding, (1, 1), False, (0, 0), 1


def _factors(layer: nn.Conv2d) -> tuple[Tensor, Tensor] | None:
    """Up (O, R) and down (R, I, kh, kw) of a layer in which only a delta of low rank, their product, is trained.

    None for other layers, and for ranks at which the gradients of the factors take no less time than the kernel's.
    """
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    attached: Any = layer.parametrizations
    if attached.weight.original.requires_grad or len(attached.weight) > 1:
        return None
    make = getattr(attached.weight[0], "factors", None)
    factors: tuple[Tensor, Tensor] | None = make() if make else None
    if factors is None or 2 * factors[0].shape[1] > layer.out_channels:
        return None
    up, down = factors
    return up, down.reshape(-1, layer.in_channels, *layer.kernel_size)


class _LowRankConvolution(torch.autograd.Function):
    """A convolution with W' = W + up·down that computes the gradients of the factors without that of W'.

    With h the convolution of x with down (a kernel of R outputs) and g the gradient of the output, the gradient of up
    is the product of g and h, summed over all positions, and that of down is the one of a kernel of R outputs for
    upᵀ·g. The gradient of W', a kernel of all outputs, takes up to ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, up: Tensor, down: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(x, weight, up, down)
        ctx.geometry = geometry
        _, stride, padding, *_ = geometry
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight, up, down) = gradients, ctx.saved_tensors
        _, stride, padding, *_ = ctx.geometry
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = _BACKWARD(gradient, x, weight, *ctx.geometry, (True, False, False))[0]
        down = down.contiguous(memory_format=torch.channels_last)
        inner = F.conv2d(x, down, None, stride, padding).movedim(1, -1)
        outer = gradient.movedim(1, -1)  # (B, T, F, O): with channels last, a matrix without a copy
        grad_up = (inner.flatten(0, 2).T @ outer.flatten(0, 2)).T  # ten times as fast as the other order for rank 4
        grad_inner = (outer @ up).movedim(-1, 1)
        grad_down = _kernel_gradient(grad_inner, x, down, ctx.geometry)
        return grad_x, None, grad_up, grad_down, None


class _TrainedConvolution(torch.autograd.Function):
    """Computes the gradient of the weights by :func:`_kernel_gradient`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        _, stride, padding, *_ = geometry
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = _BACKWARD(gradient, x, weight, *ctx.geometry, (True, False, False))[0]
        if ctx.needs_input_grad[1]:
            grad_weight = _kernel_gradient(gradient, x, weight, ctx.geometry)
        return grad_x, grad_weight, None


def _kernel_gradient(gradient: Tensor, x: Tensor, kernel: Tensor, geometry: tuple[Any, ...]) -> Tensor:
    """The gradient of a kernel (O, I, kh, kw), from that of the output (B, O, T', F') and the input x (B, I, T, F).

    Each position of the kernel is a product of two matrices, (O, positions) and (positions, I): on grids that are
    padded alike, the input is the output moved by a number of rows. Taken in parts that stay in the cache, this takes
    0.5 to 0.9 of the time of oneDNN's kernels for channels first (AVX2), and these 0.3 to 0.9 of those for channels
    last, or as long with the smallest maps.
    """
    _, stride, padding, *_ = geometry
    if stride != (1, 1) or x.dtype not in (torch.float32, torch.float64):  # sums of parts would be rounded to bfloat16
        return cast(Tensor, _BACKWARD(gradient, x, kernel, *geometry, (False, True, False))[1])
    outputs, inputs, height, width = kernel.shape
    # Channels last; the last axes are padded first.
    padded = F.pad(x.movedim(1, -1), (0, 0, padding[1], padding[1], padding[0], padding[0]))
    moved = F.pad(gradient.movedim(1, -1), (0, 0, 0, width - 1, 0, height - 1))
    row = padded.shape[2]
    rows, moved = padded.reshape(-1, inputs), moved.reshape(-1, outputs)
    result = kernel.new_zeros(height, width, outputs, inputs)
    end = len(moved) - (height - 1) * row - (width - 1)  # what follows is padding
    for first in range(0, end, _POSITIONS):
        last = min(first + _POSITIONS, end)
        part = moved[first:last].T
        for down in range(height):
            for right in range(width):
                shift = down * row + right
                result[down, right].addmm_(part, rows[first + shift : last + shift])
    return result.permute(2, 3, 0, 1)
