"""The network's convolutions as a CUDA graph, launched at once for every window of a shape that was seen before.

A graph replays the addresses that it was captured with, and an adapter puts other tensors into the network. So what is
captured is a twin of the network, and every replay first copies the weights, the input and the betas into its tensors.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor, nn

from dplass_cli.models.resunet30 import ResUNet30, ResUNetBase

REPEATS = 3
"""Times in a row that a shape is seen before it is captured: shorter recordings have nothing to gain."""


def replay_windows(network: ResUNet30) -> None:
    """Let a network on a CUDA device capture the shape of the windows that it is given, and replay it."""
    if next(network.parameters()).device.type == "cuda":
        network.base.runner = GraphedBody(network.base)


class GraphedBody:
    """Does what :meth:`~dplass_cli.models.resunet30.ResUNetBase.body` does, for one network whose weights may change.

    One shape at a time has a graph, so that memory does not grow. Without one, where gradients are wanted, and beside
    adapters that are no change of weights (``conv-adapter``), the network itself does it.
    """

    def __init__(self, base: ResUNetBase) -> None:
        self._base = base
        self._convolutions = [layer for layer in base.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
        self._seen: tuple[Hashable, int] = (None, 0)
        self._graph: tuple[Hashable, _CudaGraph] | None = None

    def __call__(self, x: Tensor, betas: Mapping[str, Tensor]) -> Tensor:
        """Map (B, 1, frames, bins) under betas {path: (B, C, 1, 1)} to (B, C, cells of time, cells of frequency)."""
        if torch.is_grad_enabled() or any(layer._forward_hooks for layer in self._convolutions):
            return self._base.body(x, dict(betas))
        kind = _kind(x, betas)
        self._seen = (kind, self._seen[1] + 1 if self._seen[0] == kind else 1)
        if self._graph is not None and self._graph[0] == kind:
            return self._graph[1](self._base, x, betas)
        if self._seen[1] < REPEATS:
            return self._base.body(x, dict(betas))
        self._graph = None  # frees its memory before the next is captured
        self._graph = kind, _CudaGraph(self._base, x, betas)
        return self._graph[1](self._base, x, betas)


class _CudaGraph:
    """The body of a network, captured for one shape of its input."""

    def __init__(self, base: ResUNetBase, x: Tensor, betas: Mapping[str, Tensor]) -> None:
        with torch.inference_mode():
            twin = copy.deepcopy(base, {id(base.runner): None})  # without what runs it, which holds the base
            fed = {path: beta.clone() for path, beta in betas.items()}
            given = x.clone()
            self._inputs = [*_tensors(twin), given, *fed.values()]
            self._replay, self._output = _capture(lambda: twin.body(given, fed), x.device)

    def __call__(self, base: ResUNetBase, x: Tensor, betas: Mapping[str, Tensor]) -> Tensor:
        with torch.inference_mode():
            torch._foreach_copy_(self._inputs, [*_tensors(base), x, *betas.values()])
            self._replay()
        return self._output.clone()  # the next replay writes to the same place


def _kind(x: Tensor, betas: Mapping[str, Tensor]) -> Hashable:
    """All that a graph is captured for: shapes, types, memory order, and the precision of the convolutions."""
    device = x.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    return precision, x.stride(), tuple((tensor.shape, tensor.dtype) for tensor in (x, *betas.values()))


def _tensors(base: ResUNetBase) -> list[Tensor]:
    """What the convolutions and norms compute with, in the order of the modules; the rest is read outside of graphs."""
    return [tensor for tensor in (*base.parameters(), *base.buffers()) if tensor.is_floating_point()]


def _capture(run: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
    """Capture what ``run`` launches on a CUDA device: what launches it again, and the tensor that the result is in.

    Other threads may use the device meanwhile. ``run`` must not depend on autocast's cache of weights, which only holds
    those that want gradients.
    """
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    with torch.cuda.device(device):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            run()  # what libraries set up for a stream must not be captured
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            output = run()
    return graph.replay, output
