"""Exported graphs; tests/pipelines/test_export.py runs them on more cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_networks import small_inputs, small_network

from dplass_cli.models.graph_export import export_graph
from dplass_cli.models.openvino import openvino_core

pytestmark = pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxscript", "ignore:::copy")


def test_an_openvino_graph_has_its_weights_in_a_second_file_and_computes_the_same(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "openvino"):
        pytest.importorskip(package)
    network = small_network()
    output = tmp_path / "new" / "graph.xml"
    assert export_graph(network, output, {}) == [output, output.with_suffix(".bin")]
    compiled = openvino_core().compile_model(output, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    mixture, condition = small_inputs()
    with torch.inference_mode():
        expected = network(mixture, condition)
    target = torch.from_numpy(compiled([mixture.numpy(), condition.numpy()])[0])
    torch.testing.assert_close(target, expected, atol=1e-4, rtol=0)
