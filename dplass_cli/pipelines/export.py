"""``export``: a base with an adapter in it as one graph, waveform in and waveform out, for ONNX Runtime or OpenVINO."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, load_base
from dplass_cli.models.onnx_wrapper import Portable
from dplass_cli.models.openvino import openvino_core, openvino_module
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies.single import single_key
from dplass_cli.storage import make_folder, remove_file, write_bytes, writing_to
from dplass_cli.versions import __version__

Format = Literal["onnx", "openvino"]
_BY_SUFFIX: dict[str, Format] = {".onnx": "onnx", ".xml": "openvino"}
_NEEDS = {"onnx": ("onnx", "onnxscript"), "openvino": ("onnx", "onnxscript", "openvino")}


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``export``.

    Attributes:
        output: the file to write: ``.onnx``, or ``.xml`` with its weights in a ``.bin`` beside it.
        format: ``onnx`` or ``openvino``; default: as the output's suffix says.
        adapters: a bank, adapter folders or published files. select: ``base``, or ``single:k`` for one of them.
        base_checkpoint, trust_checkpoint: the base.
    """

    output: Path
    format: Format | None = None
    adapters: tuple[str, ...] = ()
    select: str | None = None
    base_checkpoint: str = "tiny"
    trust_checkpoint: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        files: the graph and, where it is apart, its weights.
        adapter: the key of the adapter in it; None: the base alone.
        inputs, outputs: {name: shape}, all float32; ``batch`` and ``samples`` may be any, the latter over n_fft/2.
        sample_rate: Hz.
        encoder_fingerprint: of the encoder whose text embeddings are the conditions; empty where the base names none.
    """

    files: list[Path]
    format: Format
    adapter: str | None
    inputs: dict[str, list[str | int]]
    outputs: dict[str, list[str | int]]
    sample_rate: int
    encoder_fingerprint: str


def export(options: ExportOptions) -> ExportResult:
    """Write a network as a graph that takes waveforms and text embeddings and gives waveforms.

    Raises:
        InputError: another suffix, an extra that is not installed, wrong models, or several adapters to choose from.
    """
    form = _format(options)
    if options.output.is_dir():
        raise InputError(f"--output {options.output}: is a folder; give the name of a file to write")
    network = load_base(options.base_checkpoint, trust=options.trust_checkpoint)
    bank = AdapterBank(network)
    for path in options.adapters:
        bank.load(path, options.trust_checkpoint)
    adapter = _chosen(bank, options.select)
    bank.activate(adapter)
    described = {
        "dplass": __version__,
        "sample_rate": str(network.config.sample_rate),
        "base_sha256": bank.base_sha256,
        "adapter": adapter or "",
        "encoder_fingerprint": network.encoder_fingerprint or "",
    }
    make_folder(options.output.parent)
    with tempfile.TemporaryDirectory() as name, writing_to(options.output, only_disk_errors=True):
        made = Path(name) / "graph.onnx"
        _write_onnx(network, described, made)
        files = [options.output]
        if form == "openvino":
            made = _as_openvino(made)
            files.append(options.output.with_suffix(".bin"))
            remove_file(options.output)  # of an earlier export: it would go with the new weights
        for file in reversed(files):  # the weights first: a graph that is there is whole
            write_bytes(file, made.with_suffix(file.suffix).read_bytes())
    shape: list[str | int] = ["batch", 1, "samples"]
    return ExportResult(
        files,
        form,
        adapter,
        {"mixture": shape, "condition": ["batch", network.config.condition_size]},
        {"target": shape},
        network.config.sample_rate,
        network.encoder_fingerprint or "",
    )


def _format(options: ExportOptions) -> Format:
    form = _BY_SUFFIX.get(options.output.suffix)
    if form is None or options.format not in (None, form):
        raise InputError(f"--output {options.output}: must end in .onnx (--format onnx) or .xml (--format openvino)")
    missing = [package for package in _NEEDS[form] if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"--format {form}: needs {' and '.join(missing)}; install with: pip install 'dplass[export]'")
    return form


def _chosen(bank: AdapterBank, select: str | None) -> str | None:
    if select is None and len(bank.keys) > 1:
        raise InputError(f"--adapters: holds {', '.join(bank.keys)}; choose one with --select single:k, or base")
    if select is None:
        return next(iter(bank.keys), None)
    if select == "base":
        return None
    if not select.startswith("single:"):
        raise InputError(f"--select {select}: a graph holds one network; give single:k or base")
    return single_key(select.removeprefix("single:"), bank.keys)


def _write_onnx(network: BaseModel, described: dict[str, str], path: Path) -> None:
    config = network.config
    example = torch.zeros(2, 1, 4 * config.n_fft), torch.zeros(2, config.condition_size)
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.onnx.export(
            Portable(network).eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=["mixture", "condition"],
            output_names=["target"],
            dynamic_shapes={"mixture": {0: free, 2: free}, "condition": {0: free}},
        )
    assert program is not None
    program.model.metadata_props.update(described)
    program.save(path, external_data=False)


def _as_openvino(path: Path) -> Path:
    """Convert an ONNX file; returns the graph's new file, whose weights lie beside it."""
    openvino = openvino_module()
    written = path.with_suffix(".xml")
    openvino.save_model(openvino_core().read_model(path), written, compress_to_fp16=False)
    return written
