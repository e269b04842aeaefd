"""``export``: write a base with one adapter as a graph for ONNX Runtime or OpenVINO."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from dplass_cli.encoders import load_encoder_of, space_of
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.models.graph_export import export_graph
from dplass_cli.models.quantization import QuantizationExamples
from dplass_cli.options.export_options import ExportOptions, Format
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies.built_in import single_key
from dplass_cli.separation.quantization_examples import BUILT_IN, quantization_examples
from dplass_cli.versions import __version__

_BY_SUFFIX: dict[str, Format] = {".onnx": "onnx", ".xml": "openvino"}
_NEEDS = {"onnx": ("onnx", "onnxscript"), "openvino": ("onnx", "onnxscript", "openvino")}


@dataclass(frozen=True)
class ExportResult:
    """Result of :func:`export`.

    Attributes:
        files: the graph, and its weights if they are in a file of their own.
        format: ``onnx`` or ``openvino``.
        adapter: the key of the adapter in the graph; None for the base alone.
        inputs: {name: shape}, float32; ``batch`` and ``samples`` may be any size, the latter above n_fft/2.
        outputs: {name: shape}, float32.
        sample_rate: Hz.
        encoder_fingerprint: of the encoder whose text embeddings are the conditions; empty if the base names none.
    """

    files: list[Path]
    format: Format
    adapter: str | None
    inputs: dict[str, list[str | int]]
    outputs: dict[str, list[str | int]]
    sample_rate: int
    encoder_fingerprint: str


def export(options: ExportOptions) -> ExportResult:
    """Write a network as a graph that maps waveforms and text embeddings to waveforms.

    Raises:
        InputError: the suffix is unknown, a package is not installed, the models do not fit together, or there are
            several adapters to choose from.
        RunError: the disk is full.
    """
    form = _format(options)
    if options.precision == "int8" and form != "openvino":
        raise InputError(f"--precision int8: is written for OpenVINO; end --output {options.output} in .xml")
    if options.precision != "int8" and options.calibrate != BUILT_IN:
        raise InputError(f"--calibrate {options.calibrate}: nothing is calibrated without --precision int8")
    if options.output.is_dir():
        raise InputError(f"--output {options.output}: is a folder; give the name of a file to write")
    network = load_base(options.base_checkpoint, trust=options.trust_checkpoint)
    bank = AdapterBank(network)
    for path in options.adapters:
        bank.load(path, options.trust_checkpoint)
    adapter = _chosen_adapter(bank, options.select)
    bank.activate(adapter)
    examples = _examples(options, network) if options.precision == "int8" else None
    fingerprint = network.encoder_fingerprint or ""
    metadata = {
        "dplass": __version__,
        "sample_rate": str(network.config.sample_rate),
        "input_level_db": str(network.config.input_level_db or ""),
        "base_sha256": bank.base_sha256,
        "adapter": adapter or "",
        "encoder_fingerprint": fingerprint,
    }
    files = export_graph(network, options.output, metadata, examples)
    waveform: list[str | int] = ["batch", network.config.audio_channels, "samples"]
    inputs: dict[str, list[str | int]] = {"mixture": waveform, "condition": ["batch", network.config.condition_size]}
    return ExportResult(files, form, adapter, inputs, {"target": waveform}, network.config.sample_rate, fingerprint)


def _examples(options: ExportOptions, network: BaseModel) -> QuantizationExamples:
    require_extra("int8", "--precision int8")
    encoder = load_encoder_of(options.model)
    check_encoder(network, space_of(encoder), encoder.size, options.encoder or options.base_checkpoint)
    return quantization_examples(options.calibrate, encoder, network.config)


def _format(options: ExportOptions) -> Format:
    form = _BY_SUFFIX.get(options.output.suffix)
    if form is None or options.format not in (None, form):
        raise InputError(f"--output {options.output}: must end in .onnx (--format onnx) or .xml (--format openvino)")
    missing = [package for package in _NEEDS[form] if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"--format {form}: needs {' and '.join(missing)}; install with: pip install 'dplass[export]'")
    return form


def _chosen_adapter(bank: AdapterBank, select: str | None) -> str | None:
    if select is None and len(bank.keys) > 1:
        raise InputError(f"--adapters: contains {', '.join(bank.keys)}; choose one with --select single:k, or base")
    if select is None:
        return next(iter(bank.keys), None)
    if select == "base":
        return None
    if not select.startswith("single:"):
        raise InputError(f"--select {select}: a graph contains one network; give single:k or base")
    return single_key(select.removeprefix("single:"), bank.keys)
