"""Runs the network's convolutions as a CUDA graph, which launches all kernels for a window at once.

A graph replays the memory addresses it was captured with, but activating an adapter puts other tensors into the
network. So the graph is captured on a copy of the network, and each replay first copies the weights, the input and the
betas into the tensors of that copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor

from dplass_cli.models.base import BaseModel
from dplass_cli.models.resunet30 import ResUNet30, ResUNetBase

REPEATS = 3
"""A shape is captured the third time in a row that it occurs; shorter recordings would not gain from it."""


def replay_windows(network: BaseModel) -> None:
    """Run ResUNet30 on a CUDA device in graphs; for other networks and devices nothing changes."""
    if isinstance(network, ResUNet30) and next(network.parameters()).device.type == "cuda":
        network.base.runner = GraphedBody(network.base)


Capture = Callable[[Callable[[], Tensor], torch.device], tuple[Callable[[], None], Tensor]]


class GraphedBody:
    """A runner (:class:`~dplass_cli.models.base.Backbone`) that replays a CUDA graph.

    Only the most recent shape has a graph, so that memory does not grow. Other shapes, passes with gradients and
    adapters that are not weight deltas (``conv-adapter``) run in the network itself.
    """

    def __init__(self, base: ResUNetBase, capture: Capture | None = None) -> None:
        self._base = base
        self._capture = capture or capture_graph
        self._seen: tuple[Hashable, int] = (None, 0)
        self._graph: tuple[Hashable, _CudaGraph] | None = None

    def __call__(self, x: Tensor, betas: Mapping[str, Tensor]) -> Tensor:
        """Compute :meth:`~dplass_cli.models.base.Backbone.body`."""
        if torch.is_grad_enabled() or self._base.has_branches:
            return self._base.body(x, betas)
        signature = _signature(x, betas)
        self._seen = (signature, self._seen[1] + 1 if self._seen[0] == signature else 1)
        if self._graph is not None and self._graph[0] == signature:
            return self._graph[1](self._base, x, betas)
        if self._seen[1] < REPEATS:
            return self._base.body(x, betas)
        self._graph = None  # frees its memory before the next is captured
        self._graph = signature, _CudaGraph(self._base, x, betas, self._capture)
        return self._graph[1](self._base, x, betas)


class _CudaGraph:
    """The body of a network, captured for one input shape."""

    def __init__(self, base: ResUNetBase, x: Tensor, betas: Mapping[str, Tensor], capture: Capture) -> None:
        with torch.inference_mode():
            replica = copy.deepcopy(base, {id(base.runner): None})  # without the runner, which refers to the base
            input_betas = {path: beta.clone() for path, beta in betas.items()}
            input_x = x.clone()
            self._inputs = [*_tensors(replica), input_x, *input_betas.values()]
            self._replay, self._output = capture(lambda: replica.body(input_x, input_betas), x.device)

    def __call__(self, base: ResUNetBase, x: Tensor, betas: Mapping[str, Tensor]) -> Tensor:
        with torch.inference_mode():
            torch._foreach_copy_(self._inputs, [*_tensors(base), x, *betas.values()])
            self._replay()
        return self._output.clone()  # the next replay overwrites it


def _signature(x: Tensor, betas: Mapping[str, Tensor]) -> Hashable:
    """Everything that a graph depends on: shapes, dtypes, memory layout, and the precision of the convolutions."""
    device = x.device.type
    precision = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    return precision, x.stride(), tuple((tensor.shape, tensor.dtype) for tensor in (x, *betas.values()))


def _tensors(base: ResUNetBase) -> list[Tensor]:
    """The tensors that convolutions and norms read, in module order; integer buffers are not read in graphs."""
    return [tensor for tensor in (*base.parameters(), *base.buffers()) if tensor.is_floating_point()]


def capture_graph(run: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
    """Capture the kernels that a function launches on a CUDA device, which other threads may use meanwhile.

    The function must not rely on autocast's cache of converted weights, which is not replayed.

    Returns:
        (a function that launches the kernels again, the tensor that the result is in).
    """
    graph = torch.cuda.CUDAGraph()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    with torch.cuda.device(device):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            run()  # libraries initialise themselves on a stream, which must not be captured
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            output = run()
    return graph.replay, output
