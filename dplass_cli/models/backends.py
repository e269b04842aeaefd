"""Runs the layers of a network on spectrograms in OpenVINO, which takes about 0.6 of torch's time on a CPU.

The graph is built from the network's modules (:mod:`~dplass_cli.models.body_graphs`), and serves every length. Weights
that adapters change are inputs of the graph, like the features and what the query decides, so it is compiled once and
serves every adapter and blend. Without adapters the weights are constants, which OpenVINO packs once, not in each pass.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from dplass_cli.errors import InputError, check_choice
from dplass_cli.models.base import Backbone, BaseModel, Controls
from dplass_cli.models.body_graphs import constants_of, graph_of, has_graph
from dplass_cli.models.openvino import compile_graph
from dplass_cli.models.state_key import Key, StateKey
from dplass_cli.options.model_options import Backend

WARMUP_MACS = 30e9
"""Multiply-accumulates that ``auto`` runs in torch first: starting OpenVINO (0.3 s) costs what it would save on them.

This is 1.3 s of audio for the full-width network and half a minute for the tiny one; measured on one core.
"""


def choose_backend(
    network: BaseModel, backend: Backend = "auto", warmup_macs: float = WARMUP_MACS, constant_weights: bool = False
) -> None:
    """Make a network run in torch or in OpenVINO; the results differ by less than 1e-4.

    ``auto`` is OpenVINO on a CPU where it is installed, after ``warmup_macs`` multiply-accumulates in torch. Networks
    that have no graph for OpenVINO run in torch. With ``constant_weights``, other weights need another compilation.

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
    network.backbone.runner = OpenVINOBody(network.backbone, warmup_macs, constant_weights) if chosen else None


class OpenVINOBody:
    """A runner (:class:`~dplass_cli.models.base.Backbone`) that computes in OpenVINO.

    Passes with gradients, adapters that are not weight deltas (``conv-adapter``), and the first ``warmup_macs``
    multiply-accumulates run in torch. Under torch's autocast to bfloat16 the layers use bfloat16 if the CPU supports
    it. The graph is compiled again when its constants have changed.
    """

    def __init__(self, backbone: Backbone, warmup_macs: float = 0.0, constant_weights: bool = False) -> None:
        self._backbone, self._remaining_warmup, self._constant_weights = backbone, warmup_macs, constant_weights
        self._macs_per_cell = backbone.macs_per_cell
        self._state_key = StateKey()
        self._key: tuple[Key, bool] | None = None
        self._run: Callable[[Tensor, Controls], Tensor] | None = None

    def __call__(self, x: Tensor, controls: Controls) -> Tensor:
        """Compute :meth:`~dplass_cli.models.base.Backbone.body`."""
        self._remaining_warmup -= x[:, 0].numel() * self._macs_per_cell
        if torch.is_grad_enabled() or self._remaining_warmup > 0 or self._backbone.has_branches:
            return self._backbone.body(x, controls)
        bfloat16 = torch.is_autocast_enabled("cpu")
        key = self._state_key(constants_of(self._backbone, self._constant_weights)), bfloat16
        if self._run is None or self._key != key:
            self._run = None  # free its memory before the next one is compiled
            self._run, self._key = self._compiled(bfloat16), key
        return self._run(x, controls)

    def _compiled(self, bfloat16: bool) -> Callable[[Tensor, Controls], Tensor]:
        graph = graph_of(self._backbone, self._constant_weights)
        run = compile_graph(graph.model, "bf16" if bfloat16 else "f32")
        return lambda x, controls: run(graph.inputs(x, controls))
