"""Exported graphs, run by ONNX Runtime and OpenVINO, against torch; the guide's example runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_banks import write_small_bank
from typer.testing import CliRunner

from dplass_cli import AdapterBank, load_base, load_encoder
from dplass_cli.cli import app
from dplass_cli.models.openvino import openvino_core
from dplass_cli.models.quantization import sdr
from dplass_cli.sounds import render

pytestmark = pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxscript", "ignore:::copy")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_small_bank(tmp_path_factory.mktemp("trained"), "dora")


def run(*arguments: object) -> dict[str, object]:
    done = CliRunner().invoke(app, ["export", "--json", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    result: dict[str, object] = json.loads(done.stdout)
    return result


def cases(base: Path, bank: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:  # type: ignore[type-arg]
    """Mixtures, conditions and torch's outputs, of several lengths and batches."""
    network = load_base(base)
    adapters = AdapterBank(network)
    adapters.load(bank)
    adapters.activate("domain1")
    generator = torch.Generator().manual_seed(0)
    found = []
    for batch, samples in ((1, 9000), (3, 20001)):
        mixture = 0.1 * torch.randn(batch, 1, samples, generator=generator)
        condition = torch.nn.functional.normalize(torch.randn(batch, 128, generator=generator))
        found.append((mixture.numpy(), condition.numpy(), network(mixture, condition).numpy()))
    return found


def test_an_onnx_graph_computes_what_torch_computes(trained: tuple[Path, Path], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    base, bank = trained
    graph = tmp_path / "dogs.onnx"
    result = run("--base-checkpoint", base, "--adapters", bank, "--select", "single:1", "--output", graph)
    assert result["files"] == [str(graph)]
    assert result["inputs"] == {"mixture": ["batch", 1, "samples"], "condition": ["batch", 128]}
    assert result["adapter"] == "domain1"
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["base_sha256"] == load_base(base).sha256()
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for mixture, condition, wanted in cases(base, bank):
        (target,) = session.run(["target"], {"mixture": mixture, "condition": condition})
        assert np.abs(wanted).max() > 1e-3
        assert np.abs(target - wanted).max() < 1e-4
        assert np.abs(compiled([mixture, condition])[0] - wanted).max() < 1e-4


@pytest.mark.slow
def test_openvino_graphs_include_a_conv_adapter(tmp_path: Path) -> None:
    base, bank = write_small_bank(tmp_path, "conv-adapter")
    graph = tmp_path / "graph.xml"
    result = run("--base-checkpoint", base, "--adapters", bank, "--select", "single:domain1", "--output", graph)
    assert result["files"] == [str(graph), str(tmp_path / "graph.bin")]
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for mixture, condition, wanted in cases(base, bank):
        assert np.abs(compiled([mixture, condition])[0] - wanted).max() < 1e-4


def test_invalid_options_are_one_line_and_write_nothing(trained: tuple[Path, Path], tmp_path: Path) -> None:
    base, bank = trained
    common = ["export", "--base-checkpoint", str(base), "--adapters", str(bank)]
    for more, said in (
        (["--output", str(tmp_path / "a.pt")], "must end in .onnx"),
        (["--output", str(tmp_path / "a.xml"), "--format", "onnx"], "must end in .onnx"),
        (["--output", str(tmp_path / "a.onnx")], "choose one with --select single:k"),
        (["--output", str(tmp_path / "a.onnx"), "--select", "text"], "a graph contains one network"),
        (["--output", str(tmp_path / "a.onnx"), "--select", "single:9"], "no adapter 'domain9' is loaded"),
        (["--output", str(tmp_path / "a.xml"), "--calibrate", "a.json"], "calibrated without --precision int8"),
        (["--select", "base"], "output"),
    ):
        done = CliRunner().invoke(app, [*common, *more])
        assert done.exit_code == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::nncf")
def test_an_int8_graph_computes_about_the_same_with_a_quarter_of_the_weights(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    monkeypatch.setattr("dplass_cli.models.quantization.MAX_LOSS_DB", 99.0)  # random weights have nothing to lose
    base, bank = trained
    chosen = "--base-checkpoint", base, "--encoder", "tiny", "--adapters", bank, "--select", "single:1"
    for precision in ("32-true", "int8"):
        run(*chosen, "--precision", precision, "--output", tmp_path / f"{precision}.xml")
    ours, wanted = (
        openvino_core().compile_model(tmp_path / f"{precision}.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        for precision in ("int8", "32-true")
    )
    mixture = render("rain", 5, 1.0, 32000)[None, None]
    condition = load_encoder().embed_text(["rain"]).numpy()
    expected, target = (torch.from_numpy(graph([mixture, condition])[0]) for graph in (wanted, ours))
    assert min(sdr(expected, target)) > 15
    types = [operation.get_type_name() for operation in openvino_core().read_model(tmp_path / "int8.xml").get_ops()]
    assert "FakeQuantize" in types


def test_int8_is_written_for_openvino_only(tmp_path: Path) -> None:
    output = tmp_path / "a.onnx"
    done = CliRunner().invoke(app, ["export", "--precision", "int8", "--output", str(output)])
    assert done.exit_code == 2
    assert f"--precision int8: is written for OpenVINO; end --output {output} in .xml" in " ".join(done.stderr.split())


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["export", "--output", str(tmp_path / "a.onnx")])
    assert done.exit_code == 2
    assert "pip install 'dplass[export]'" in done.stderr
