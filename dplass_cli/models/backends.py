"""Runs the layers of a network on spectrograms in OpenVINO, which takes about 0.6 of torch's time on a CPU.

The graph is built from the network's modules (:mod:`~dplass_cli.models.body_graphs`). Weights that adapters change are
inputs of the graph, like the features and what the query decides, so it is compiled once and serves every adapter,
blend and length.
"""

from __future__ import annotations

import importlib.util
from typing import get_args

import torch
from torch import Tensor

from dplass_cli.errors import InputError, check_choice
from dplass_cli.models.base import Backbone, BaseModel, Controls
from dplass_cli.models.body_graphs import graph_of, has_graph, norms_of
from dplass_cli.models.openvino import compile_graph
from dplass_cli.options.model_options import Backend

WARMUP_MACS = 30e9
"""Multiply-accumulates that ``auto`` runs in torch first: starting OpenVINO (0.3 s) costs what it would save on them.

This is 1.3 s of audio for the full-width network and half a minute for the tiny one; measured on one core.
"""


def choose_backend(network: BaseModel, backend: Backend = "auto", warmup_macs: float = WARMUP_MACS) -> None:
    """Make a network run in torch or in OpenVINO; the results differ by less than 1e-4.

    ``auto`` is OpenVINO on a CPU where it is installed, after ``warmup_macs`` multiply-accumulates in torch. Networks
    that have no graph for OpenVINO run in torch.

    Raises:
        InputError: an unknown backend, or OpenVINO was asked for and cannot run the network here.
    """
    check_choice("--backend", backend, get_args(Backend))
    device = next(network.parameters()).device.type
    installed = importlib.util.find_spec("openvino") is not None
    if backend == "openvino":
        if not installed:
            raise InputError("--backend openvino: not installed; pip install 'dplass[openvino]', or use torch")
        if device != "cpu":
            raise InputError(f"--backend openvino: runs on a CPU, not on {device}; give --device cpu, or use torch")
        if not has_graph(network.backbone):
            raise InputError(f"--backend openvino: there is no graph of {network.name}; use torch")
        warmup_macs = 0.0
    chosen = backend != "torch" and installed and device == "cpu" and has_graph(network.backbone)
    network.backbone.runner = OpenVINOBody(network.backbone, warmup_macs) if chosen else None


class OpenVINOBody:
    """A runner (:class:`~dplass_cli.models.base.Backbone`) that computes in OpenVINO.

    Passes with gradients, adapters that are not weight deltas (``conv-adapter``), and the first ``warmup_macs``
    multiply-accumulates run in torch. Under torch's autocast to bfloat16 the layers use bfloat16 if the CPU supports
    it.
    """

    def __init__(self, backbone: Backbone, warmup_macs: float = 0.0) -> None:
        self._backbone, self._remaining_warmup = backbone, warmup_macs
        self._macs_per_cell = backbone.macs_per_cell
        self._graph: _OpenVINOGraph | None = None

    def __call__(self, x: Tensor, controls: Controls) -> Tensor:
        """Compute :meth:`~dplass_cli.models.base.Backbone.body`."""
        self._remaining_warmup -= x[:, 0].numel() * self._macs_per_cell
        if torch.is_grad_enabled() or self._remaining_warmup > 0 or self._backbone.has_branches:
            return self._backbone.body(x, controls)
        bfloat16, norms = torch.is_autocast_enabled("cpu"), norms_of(self._backbone)
        if self._graph is None or not self._graph.matches(norms, bfloat16):
            self._graph = None  # free its memory before the next one is compiled
            self._graph = _OpenVINOGraph(self._backbone, norms, bfloat16)
        return self._graph(x, controls)


class _OpenVINOGraph:
    """A compiled backbone. Weights that adapters change are inputs; only batch norms are constants."""

    def __init__(self, backbone: Backbone, norms: Tensor, bfloat16: bool) -> None:
        self._norms, self._bfloat16 = norms, bfloat16
        self._graph = graph_of(backbone)
        self._run = compile_graph(self._graph.model, "bf16" if bfloat16 else "f32")

    def matches(self, norms: Tensor, bfloat16: bool) -> bool:
        return self._bfloat16 == bfloat16 and torch.equal(norms, self._norms)

    def __call__(self, x: Tensor, controls: Controls) -> Tensor:
        return self._run(self._graph.inputs(x, controls))
