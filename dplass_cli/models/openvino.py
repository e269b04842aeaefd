"""Runs the network's convolutions in OpenVINO, which takes about 0.6 of torch's time on a CPU.

The graph is built from the network's modules. Weights that adapters change are inputs of the graph, like the mixture
and the betas, so it is compiled once and serves every adapter, blend and length. Importing OpenVINO sends telemetry;
the part that does (``openvino.tools.ovc``, for model conversion) is not imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dplass_cli.errors import InputError, check_choice
from dplass_cli.models.base import BaseModel
from dplass_cli.models.memory_efficient import SLOPE
from dplass_cli.models.resunet30 import DecoderBlock, EncoderBlock, ResidualBlock, ResUNet30, ResUNetBase
from dplass_cli.options.model_options import Backend

WARMUP_MACS = 30e9
"""Multiply-accumulates that ``auto`` runs in torch first: starting OpenVINO (0.3 s) costs what it would save on them.

This is 1.3 s of audio for the full-width network and half a minute for the tiny one; measured on one core.
"""

Betas = Mapping[str, Tensor]
_Feed = Callable[[Tensor, Betas], Tensor]


def choose_backend(network: BaseModel, backend: Backend = "auto", warmup_macs: float = WARMUP_MACS) -> None:
    """Make a network run in torch or in OpenVINO; the results differ by less than 1e-4.

    Networks other than ResUNet30 run in torch.
    ``auto`` is OpenVINO on a CPU where it is installed, after ``warmup_macs`` multiply-accumulates in torch.
    """
    check_choice("--backend", backend, get_args(Backend))
    device = next(network.parameters()).device.type
    installed = importlib.util.find_spec("openvino") is not None
    if not isinstance(network, ResUNet30):
        if backend == "openvino":
            raise InputError(f"--backend openvino: runs ResUNet30, but the base is {network.name}; use --backend torch")
        return
    if backend == "openvino":
        if not installed:
            raise InputError("--backend openvino: not installed; pip install 'dplass[openvino]', or use torch")
        if device != "cpu":
            raise InputError(f"--backend openvino: runs on a CPU, not on {device}; give --device cpu, or use torch")
    chosen = backend == "openvino" or (backend == "auto" and installed and device == "cpu")
    warmup_macs = 0.0 if backend == "openvino" else warmup_macs
    network.base.runner = OpenVINOBody(network.base, warmup_macs) if chosen else None


class OpenVINOBody:
    """A runner (:class:`~dplass_cli.models.resunet30.ResUNetBase`) that computes in OpenVINO.

    Passes with gradients, adapters that are not weight deltas (``conv-adapter``), and the first ``warmup_macs``
    multiply-accumulates run in torch. Under torch's autocast to bfloat16 the convolutions use bfloat16 if the CPU
    supports it.
    """

    def __init__(self, base: ResUNetBase, warmup_macs: float = 0.0) -> None:
        self._base, self._remaining_warmup, self._macs_per_cell = base, warmup_macs, macs_per_cell(base)
        self._convolutions = [layer for layer in base.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
        self._graph: _OpenVINOGraph | None = None

    def __call__(self, x: Tensor, betas: Betas) -> Tensor:
        """Compute :meth:`~dplass_cli.models.resunet30.ResUNetBase.body`."""
        self._remaining_warmup -= x.numel() * self._macs_per_cell
        hooked = any(layer._forward_hooks for layer in self._convolutions)
        if torch.is_grad_enabled() or self._remaining_warmup > 0 or hooked:
            return self._base.body(x, dict(betas))
        bfloat16 = torch.is_autocast_enabled("cpu")
        statistics = torch.cat([_scale(norm) for norm in self._base.modules() if isinstance(norm, nn.BatchNorm2d)])
        if self._graph is None or not self._graph.matches(statistics, bfloat16):
            self._graph = None  # free its memory before the next one is compiled
            self._graph = _OpenVINOGraph(self._base, statistics, bfloat16)
        return self._graph(x, betas)


class _OpenVINOGraph:
    """A compiled network. Weights that adapters change are inputs; only the scales of batch norms are constants."""

    def __init__(self, base: ResUNetBase, statistics: Tensor, bfloat16: bool) -> None:
        self._statistics, self._bfloat16 = statistics, bfloat16
        self._body = BodyGraph(base)
        self._run = compile_graph(self._body.model, "bf16" if bfloat16 else "f32")

    def matches(self, statistics: Tensor, bfloat16: bool) -> bool:
        return self._bfloat16 == bfloat16 and torch.equal(statistics, self._statistics)

    def __call__(self, x: Tensor, betas: Betas) -> Tensor:
        return self._run(self._body.inputs(x, betas))


def compile_graph(model: Any, precision: str) -> Callable[[list[npt.NDArray[np.float32]]], Tensor]:
    """Compile an OpenVINO model for torch's number of threads: a function from its inputs to its first output.

    The output is valid until the next call.

    Args:
        model: an ``openvino.Model``.
        precision: ``f32`` or ``bf16``, of what is not quantised.
    """
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # other processes may use the cores too
    }
    request = openvino_core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda inputs: torch.from_numpy(request.infer(inputs, share_inputs=True)[0])


class BodyGraph:
    """The body of a network as an OpenVINO model, and the values of its inputs.

    The inputs are the spectrogram, the shifts of the batch norms (which contain the betas) and, unless they are
    constants, the weights of the convolutions. The scales of batch norms are always constants: with the scales as
    inputs, OpenVINO would not use its fast memory layout for the convolutions.

    Attributes:
        model: the ``openvino.Model``.
    """

    def __init__(self, base: ResUNetBase, constant_weights: bool = False) -> None:
        openvino = openvino_module()
        self._ops, self._constant_weights = openvino.opset13, constant_weights
        self._inputs: list[Any] = []
        self._feeds: list[_Feed] = []
        self._slope = self._ops.constant(np.float32(SLOPE))
        self.model = openvino.Model([self._ops.result(self._body(base))], self._inputs, "ResUNet30")

    def inputs(self, x: Tensor, betas: Betas) -> list[npt.NDArray[np.float32]]:
        """The inputs of the model, in its order, for the arguments of ``ResUNetBase.body``."""
        return [feed(x, betas).detach().contiguous().numpy() for feed in self._feeds]

    def _input(self, shape: list[int], feed: _Feed) -> Any:
        """Add an input with a shape, where -1 means any size, and the function that computes its value."""
        self._inputs.append(self._ops.parameter(shape, np.float32))
        self._feeds.append(feed)
        return self._inputs[-1]

    def _body(self, base: ResUNetBase) -> Any:
        x = self._input([-1, 1, -1, base.config.n_fft // 2], lambda x, _: x)
        x = self._convolution(base.pre_conv, x)
        skips = []
        for name in base.encoders:
            x, skip = self._encoder(base.get_submodule(name), x, name)
            skips.append(skip)
        x, _ = self._encoder(base.conv_block7a, x, "conv_block7a")
        for name in base.decoders:
            x = self._decoder(base.get_submodule(name), x, skips.pop(), name)
        return self._convolution(base.after_conv, x)

    def _encoder(self, block: nn.Module, x: Any, path: str) -> tuple[Any, Any]:
        assert isinstance(block, EncoderBlock)
        skip = self._residual(block.conv_block1, x, f"{path}.conv_block1")
        size = list(block.downsample)
        return self._ops.avg_pool(skip, size, [0, 0], [0, 0], size, exclude_pad=True), skip

    def _decoder(self, block: nn.Module, x: Any, skip: Any, path: str) -> Any:
        assert isinstance(block, DecoderBlock)
        x = self._conditioned(block.bn1, x, f"{path}.beta1")
        x = self._ops.convolution_backprop_data(x, self._weight(block.conv1), list(block.conv1.stride))
        return self._residual(block.conv_block2, self._ops.concat([x, skip], 1), f"{path}.conv_block2")

    def _residual(self, block: ResidualBlock, x: Any, path: str) -> Any:
        y = self._convolution(block.conv1, self._conditioned(block.bn1, x, f"{path}.beta1"))
        y = self._convolution(block.conv2, self._conditioned(block.bn2, y, f"{path}.beta2"))
        return self._ops.add(y, x if block.shortcut is None else self._convolution(block.shortcut, x))

    def _conditioned(self, norm: nn.BatchNorm2d, x: Any, beta: str) -> Any:
        def shift(_: Tensor, betas: Betas) -> Tensor:
            assert norm.running_mean is not None
            return _channels(norm.bias - norm.running_mean * _scale(norm)) + betas[beta]

        scaled = self._ops.multiply(x, self._ops.constant(_channels(_scale(norm)).numpy()))
        return self._ops.prelu(self._ops.add(scaled, self._input([-1, norm.num_features, 1, 1], shift)), self._slope)

    def _convolution(self, layer: nn.Conv2d, x: Any) -> Any:
        assert not isinstance(layer.padding, str)
        pad = list(layer.padding)
        y = self._ops.convolution(x, self._weight(layer), list(layer.stride), pad, pad, [1, 1])
        return y if layer.bias is None else self._ops.add(y, self._ops.constant(_channels(layer.bias.detach()).numpy()))

    def _weight(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> Any:
        if self._constant_weights:
            return self._ops.constant(layer.weight.detach().contiguous().numpy())
        return self._input(list(layer.weight.shape), lambda *_: layer.weight)


def macs_per_cell(base: ResUNetBase) -> float:
    """Multiply-accumulates of the blocks' convolutions per cell of the spectrogram."""
    count, cells = 0.0, float(np.prod(base.config.stem))
    levels = zip(base.encoders, reversed(base.decoders), base.config.downsample, strict=True)
    for encoder, decoder, (time, frequency) in levels:
        up = base.get_submodule(decoder)
        assert isinstance(up, DecoderBlock)
        count += (_kernels(base.get_submodule(encoder)) + _kernels(up.conv_block2)) / cells
        cells *= time * frequency
        count += _kernels(up.conv1) / cells
    return count + _kernels(base.conv_block7a) / cells


def _kernels(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.dim() == 4)


def _scale(norm: nn.BatchNorm2d) -> Tensor:
    """The factors of a batch norm, float32 (C,)."""
    assert norm.running_var is not None
    return norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)


def _channels(values: Tensor) -> Tensor:
    return values[None, :, None, None]


def openvino_module() -> ModuleType:
    """Import OpenVINO without its conversion tools, which send telemetry when imported."""
    telemetry = "openvino.tools.ovc"
    if "openvino" not in sys.modules and telemetry not in sys.modules:
        sys.modules[telemetry] = None  # type: ignore[assignment]  # makes its import fail, which OpenVINO ignores
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules[telemetry]
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """The only OpenVINO runtime object of this process.

    Each object replaces the calling thread's signal stack and frees it when destroyed. If two are destroyed in the
    order of their creation, the freed stack of the first is restored, and the next signal (Ctrl-C) is a segmentation
    fault (OpenVINO 2026.4, ``src/plugins/intel_cpu/src/plugin.cpp``, ``SigAltStackSetup``).
    """
    return openvino_module().Core()
