"""Exported graphs (tests/pipelines/test_export.py runs them on more cases), and the operations they consist of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_networks import SMALL, small_inputs, small_network

from dplass_cli import load_base
from dplass_cli.models.graph_export import OnnxWrapper, export_graph
from dplass_cli.models.openvino import openvino_core
from dplass_cli.sounds import render

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


def test_the_wrapper_equals_the_tiny_network() -> None:
    network = load_base("tiny")
    mixture, condition = torch.from_numpy(render("rain", 1, 1.3, 32000))[None, None], torch.randn(1, 128)
    condition = torch.nn.functional.normalize(condition)
    with torch.no_grad():
        expected, wrapped = network(mixture, condition), OnnxWrapper(network)(mixture, condition)
    assert expected.abs().max() > 1e-3
    assert (wrapped - expected).abs().max() < 1e-5


@pytest.mark.parametrize("samples", [129, 1000, 1234])
def test_the_wrapper_takes_any_length(samples: int) -> None:
    network = small_network()
    mixture = torch.randn(2, 1, samples, generator=torch.Generator().manual_seed(0))
    condition = torch.ones(2, SMALL.condition_size)
    with torch.no_grad():
        torch.testing.assert_close(
            OnnxWrapper(network)(mixture, condition), network(mixture, condition), atol=1e-5, rtol=0
        )
