"""INT8 arithmetic in OpenVINO, which takes 0.6 of float32's time on a CPU with AVX2, and 0.35 on one with VNNI.

NNCF (extra ``int8``) finds the ranges of the activations on example mixtures. Only layers on spectrograms are
quantised, without the first and the last: the sums between them carry the signal from block to block, and rounding them
as well takes the output from 33 to 14 dB of agreement with float32's without being faster. Further layers stay in
float32 where the loss would exceed :data:`MAX_LOSS_DB`. On a CPU with bfloat16, what is not quantised runs in it: this
agrees as well and takes 0.8 of the time. A quantised graph contains its weights, so every adapter and blend has a graph
of its own, which is made once and kept in a folder. That of the bundled base is shipped, so it needs no NNCF.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dplass_cli.devices import has_bfloat16
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra
from dplass_cli.models.base import BaseModel, Controls
from dplass_cli.models.body_graphs import BodyGraph, constants_of, graph_of, has_graph
from dplass_cli.models.openvino import compile_graph, openvino_core, openvino_module, shared_core
from dplass_cli.models.state_key import Key, StateKey
from dplass_cli.options.model_options import Backend
from dplass_cli.storage import locked, make_folder, write_bytes
from dplass_cli.weights.checkpoint_files import tensors_sha256

MAX_LOSS_DB = 0.2
"""The largest expected loss of SDR on the validating examples; layers stay in float32 until it is met."""

SEPARATED_DB = 10.0
"""The SDR of the separation of which the loss is expected."""

_FLOAT_TYPES = ["Add", "AvgPool", "Concat", "Multiply", "ReduceSum"]  # operations that stay in float32
_GRAPHS = 8  # compiled at a time: a base and seven adapters
_RECIPE = 2  # number of the way in which graphs are quantised: those of another are not used
_log = logging.getLogger(__name__)

Inputs = list[npt.NDArray[np.float32]]
Infer = Callable[[Inputs], Tensor]
"""Runs a compiled graph: from its inputs to its output."""


@dataclass(frozen=True)
class QuantizationExamples:
    """Mixtures and queries. The first half calibrates, the second validates.

    Attributes:
        mixtures: float32 (N, C, T), N at least 2, at the network's rate and input level.
        conditions: float32 (N, D), embeddings of the queries.
    """

    mixtures: Tensor
    conditions: Tensor

    def __len__(self) -> int:
        return len(self.mixtures)

    @property
    def calibrating(self) -> range:
        return range(len(self) // 2)

    @property
    def validating(self) -> range:
        return range(len(self) // 2, len(self))


def run_in_int8(
    network: BaseModel,
    backend: Backend,
    examples: Callable[[], QuantizationExamples],
    folder: Path,
    shipped: Path | None = None,
) -> None:
    """Make a network run in INT8, with graphs that are kept in a folder.

    Args:
        network: its backbone will be computed by an :class:`Int8Body`.
        backend: what was asked for; INT8 has no other than OpenVINO.
        examples: makes the examples; called only if there is something to quantise.
        folder: of the quantised graphs.
        shipped: of graphs that were quantised before, which are read only.

    Raises:
        InputError: there is no graph of the network, it is not on the CPU, a package for its weights is missing,
            or the backend is torch.
    """
    device = next(network.parameters()).device.type
    if backend == "torch":
        raise InputError("--precision int8: runs in OpenVINO; leave --backend torch out")
    if not has_graph(network.backbone):
        raise InputError(f"--precision int8: there is no graph of {network.name}; leave --precision out")
    if device != "cpu":
        raise InputError(f"--precision int8: runs on a CPU, not on {device}; give --device cpu")
    body = Int8Body(network, examples, folder, shipped)
    require_extra("openvino" if body.is_quantised() else "int8", "--precision int8")
    network.backbone.runner = body


class Int8Body:
    """A runner (:class:`~dplass_cli.models.base.Backbone`) that computes in INT8.

    The graph of the current weights is made on the first call with them, which takes half a minute for the bundled
    base, and read from the folder by later processes. Passes with gradients, and adapters that are not weight deltas
    (``conv-adapter``), run in torch.

    Args:
        network: the network whose backbone this runner serves.
        examples: makes the examples; called only if there is something to quantise.
        folder: where quantised graphs are kept.
        shipped: where others are, which are read only.
    """

    def __init__(
        self,
        network: BaseModel,
        examples: Callable[[], QuantizationExamples],
        folder: Path,
        shipped: Path | None = None,
    ) -> None:
        self._network, self._examples, self._folder, self._shipped = network, examples, folder, shipped
        self._graphs: OrderedDict[str, Infer] = OrderedDict()
        self._inputs: Callable[[Tensor, Controls], Inputs] | None = None
        self._state_key, self._hashes = StateKey(), dict[Key, str]()

    def __call__(self, x: Tensor, controls: Controls) -> Tensor:
        """Compute :meth:`~dplass_cli.models.base.Backbone.body`."""
        backbone = self._network.backbone
        if torch.is_grad_enabled() or backbone.has_branches:
            return backbone.body(x, controls)
        key = self._current_key()
        if key not in self._graphs:
            with torch.autocast("cpu", enabled=False):
                self._graphs[key] = self._compiled(key)
            if len(self._graphs) > _GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        assert self._inputs is not None
        return self._graphs[key](self._inputs(x, controls))

    def is_quantised(self) -> bool:
        """Whether there is a quantised graph of the current weights."""
        return self._stored(self._current_key()).exists()

    def _current_key(self) -> str:
        """The hash of the current weights, computed once for each of them."""
        state = constants_of(self._network.backbone, constant_weights=True)
        key = self._state_key(state)
        if key not in self._hashes:
            self._hashes[key] = tensors_sha256(state, _RECIPE)
        return self._hashes[key]

    def _stored(self, key: str) -> Path:
        """The file of the graph of a state, whether it exists or not."""
        name = f"{key}.xml"
        if self._shipped is not None and (self._shipped / name).exists():
            return self._shipped / name
        return self._folder / name

    def _compiled(self, key: str) -> Infer:
        body = graph_of(self._network.backbone, constant_weights=True)
        self._inputs = body.inputs
        model = _read(self._stored(key)) or self._made(key, body)
        return compile_graph(model, "bf16" if has_bfloat16(torch.device("cpu")) else "f32")

    def _made(self, key: str, body: BodyGraph) -> Any:
        """Quantise the current weights, unless another process does it at this moment, and keep the graph."""
        graph = make_folder(self._folder) / f"{key}.xml"
        with locked(graph.with_suffix(".lock")):
            model = _read(graph)
            if model is None:
                require_extra("int8", "--precision int8")
                _log.warning("--precision int8: quantising the weights %s, once, which takes a while", key[:8])
                model = self._quantized(body)
                _write(model, graph)
        return model

    def _quantized(self, body: BodyGraph) -> Any:
        examples = self._examples()
        fed: list[Inputs] = []

        def record(x: Tensor, controls: Controls) -> Tensor:
            fed.append(body.inputs(x, controls))
            return self._network.backbone.body(x, controls)

        separate_examples(self._network, examples, examples.calibrating, record)

        def separate(infer: Infer) -> Tensor:
            def run(x: Tensor, controls: Controls) -> Tensor:
                return infer(body.inputs(x, controls))

            return separate_examples(self._network, examples, examples.validating, run)

        return quantize(body.model, fed, separate, ignored_scope(body.model))


def separate_examples(
    network: BaseModel,
    examples: QuantizationExamples,
    numbers: Sequence[int],
    run: Callable[[Tensor, Controls], Tensor],
) -> Tensor:
    """Separate some of the examples with another runner: float32 (n, C, T)."""
    before, network.backbone.runner = network.backbone.runner, run
    try:
        outputs = [network(examples.mixtures[[n]], examples.conditions[[n]]).clone() for n in numbers]
    finally:
        network.backbone.runner = before
    return torch.cat(outputs)


def sdr(references: Tensor, estimates: Tensor) -> Tensor:
    """The SDR of each estimate, (N, C, T), in dB: (N,)."""
    errors = (references - estimates).square().sum(dim=(1, 2)) + 1e-10
    return 10 * torch.log10((references.square().sum(dim=(1, 2)) + 1e-10) / errors)


def expected_sdr(agreements: Tensor) -> float:
    """The mean SDR, in dB, of separations of :data:`SEPARATED_DB` to which rounding errors are added.

    The SDR of the examples themselves would say little: where a network separates badly, changing its output costs
    nothing on average.

    Args:
        agreements: the SDR of the outputs against float32's, dB, (N,).
    """
    noise = 10 ** (-SEPARATED_DB / 10) + 10 ** (-agreements / 10)
    return float((-10 * torch.log10(noise)).mean())


def spectrogram_layers(model: Any) -> list[Any]:
    """The layers of an ``openvino.Model`` that compute spectrograms, in their order.

    Their outputs have four dimensions; those of layers on the query have two, and those of the transforms three.
    """
    return [layer for layer in _layers(model) if len(layer.get_output_partial_shape(0)) == 4]


def _layers(model: Any) -> list[Any]:
    types = ("Convolution", "ConvolutionBackpropData", "MatMul")
    return [operation for operation in model.get_ordered_ops() if operation.get_type_name() in types]


def ignored_scope(model: Any, subgraphs: Sequence[Any] = ()) -> Any:
    """What stays in float32, an ``nncf.IgnoredScope``: all but the layers on spectrograms, and their first and last.

    Args:
        model: the ``openvino.Model`` of a network.
        subgraphs: ``nncf.Subgraph`` of other operations.
    """
    inner = {layer.get_friendly_name() for layer in spectrogram_layers(model)[1:-1]}
    names = [name for layer in _layers(model) if (name := layer.get_friendly_name()) not in inner]
    return nncf_module().IgnoredScope(names=names, types=_FLOAT_TYPES, subgraphs=list(subgraphs), validate=False)


def quantize(model: Any, inputs: Sequence[Inputs], separate: Callable[[Infer], Tensor], ignored: Any) -> Any:
    """Quantise an OpenVINO model after training.

    Args:
        model: an ``openvino.Model``.
        inputs: of the calibrating examples.
        separate: separates the validating examples, (N, C, T), with a function from the inputs to the output.
        ignored: an ``nncf.IgnoredScope`` of what stays in float32.
    """
    nncf = nncf_module()
    wanted = separate(compile_graph(model, "f32"))

    def validate(compiled: Any, _: object) -> tuple[float, None]:
        return expected_sdr(sdr(wanted, separate(lambda values: torch.from_numpy(compiled(values)[0])))), None

    with shared_core(), contextlib.redirect_stdout(io.StringIO()):  # NNCF draws progress bars there
        return nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(list(inputs)),
            nncf.Dataset([0]),  # the examples belong to the function
            validate,
            max_drop=MAX_LOSS_DB,
            drop_type=nncf.DropType.ABSOLUTE,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(inputs),
            ignored_scope=ignored,
            advanced_quantization_parameters=_parameters(),
        )


def _parameters() -> Any:
    """How NNCF quantises.

    The median of the examples' extrema, because activations of a sound that is unlike those of the training can be ten
    times as large as others. Without VNNI, products of 8 bits are added in 16 bits: one bit less for the weights keeps
    these sums from overflowing.
    """
    nncf, ranges = nncf_module(), importlib.import_module("nncf.quantization.range_estimator")
    median = ranges.AggregatorType.MEDIAN
    low, high = (
        ranges.StatisticsCollectorParameters(statistics_type=kind, aggregator_type=median)
        for kind in (ranges.StatisticsType.MIN, ranges.StatisticsType.MAX)
    )
    return nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE,
        activations_range_estimator_params=ranges.RangeEstimatorParameters(min=low, max=high),
    )


def nncf_module() -> ModuleType:
    """Import NNCF without its telemetry, which ``NNCF_CI`` switches off."""
    before = os.environ.get("NNCF_CI")
    os.environ["NNCF_CI"] = "1"
    try:
        openvino_module()
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # complains where there is no GPU
        nncf = importlib.import_module("nncf")
    finally:
        if before is None:
            del os.environ["NNCF_CI"]
        else:
            os.environ["NNCF_CI"] = before
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function changes every handler of the logger too
    return nncf


def _read(graph: Path) -> Any | None:
    """A graph that was written before; None if there is none or it cannot be read."""
    if not graph.exists():
        return None
    try:
        return openvino_core().read_model(graph)
    except RuntimeError as error:
        _log.info("%s: cannot be read (%s); quantising again", graph, str(error).splitlines()[0])
        return None


def _write(model: Any, graph: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        written = Path(name) / "graph.xml"
        openvino_module().save_model(model, written, compress_to_fp16=False)
        write_bytes(graph.with_suffix(".bin"), written.with_suffix(".bin").read_bytes())
        write_bytes(graph, written.read_bytes())  # last, so that a graph that exists is complete
