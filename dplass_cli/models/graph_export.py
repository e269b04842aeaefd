"""Writing a network as one graph, waveform in and waveform out, for ONNX Runtime or OpenVINO."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from dplass_cli.models.onnx_wrapper import OnnxWrapper
from dplass_cli.models.openvino import openvino_core, openvino_module
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.storage import make_folder, remove_file, write_bytes, writing_to


def export_graph(network: ResUNet30, output: Path, metadata: Mapping[str, str]) -> list[Path]:
    """Write a network as a graph with the inputs ``mixture`` and ``condition`` and the output ``target``.

    Args:
        network: the network, with its adapter active.
        output: a file that ends in ``.onnx``, or in ``.xml`` for OpenVINO, whose weights go to a ``.bin`` file.
        metadata: stored in the ONNX graph.

    Returns:
        The written files, the graph first.

    Raises:
        InputError: the folder cannot be written.
        RunError: the disk is full.
    """
    make_folder(output.parent)
    files = [output]
    with tempfile.TemporaryDirectory() as name, writing_to(output, only_disk_errors=True):
        graph = Path(name) / "graph.onnx"
        _write_onnx(network, metadata, graph)
        if output.suffix == ".xml":
            graph = _convert_to_openvino(graph)
            files.append(output.with_suffix(".bin"))
            remove_file(output)  # the graph of an earlier export does not fit the new weights
        for file in reversed(files):  # the weights first, so that a graph that exists is complete
            write_bytes(file, graph.with_suffix(file.suffix).read_bytes())
    return files


def _write_onnx(network: ResUNet30, metadata: Mapping[str, str], path: Path) -> None:
    config = network.config
    example = torch.zeros(2, 1, 4 * config.n_fft), torch.zeros(2, config.condition_size)
    any_size = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.onnx.export(
            OnnxWrapper(network).eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=["mixture", "condition"],
            output_names=["target"],
            dynamic_shapes={"mixture": {0: any_size, 2: any_size}, "condition": {0: any_size}},
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)


def _convert_to_openvino(path: Path) -> Path:
    """Convert an ONNX file; returns the path of the new graph, whose weights are next to it."""
    openvino = openvino_module()
    written = path.with_suffix(".xml")
    openvino.save_model(openvino_core().read_model(path), written, compress_to_fp16=False)
    return written
