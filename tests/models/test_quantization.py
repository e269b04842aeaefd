"""INT8 in OpenVINO against float32: agreement, one graph per set of weights, the folder of graphs, and errors."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import SMALL_LASAFT, loaded, small_inputs, small_lasaft, small_network

from dplass_cli import extras
from dplass_cli.errors import InputError
from dplass_cli.models import openvino, quantization
from dplass_cli.models.base import BaseModel
from dplass_cli.models.openvino import openvino_core
from dplass_cli.models.quantization import (
    Inputs,
    QuantizationExamples,
    expected_sdr,
    run_in_int8,
    sdr,
    spectrogram_layers,
)
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank

pytestmark = pytest.mark.filterwarnings("ignore:::nncf", "ignore:::torch")


def examples_of(network: BaseModel) -> QuantizationExamples:
    """Four noises and queries."""
    generator = torch.Generator().manual_seed(0)
    mixtures = 0.1 * torch.randn(4, 1, 4000, generator=generator)
    conditions = torch.nn.functional.normalize(torch.randn(4, network.config.condition_size, generator=generator))
    return QuantizationExamples(mixtures, conditions)


class Counted:
    """The examples of a network, and how often they were asked for."""

    def __init__(self, network: BaseModel) -> None:
        self.network, self.calls = network, 0

    def __call__(self) -> QuantizationExamples:
        self.calls += 1
        return examples_of(self.network)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the graph of the small network has been made."""
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    folder = tmp_path_factory.mktemp("int8")
    network = small_network()
    run_in_int8(network, "auto", Counted(network), folder)
    separate(network)
    return folder


def separate(network: BaseModel) -> torch.Tensor:
    """The outputs for mixtures of the level that the network is quantised for."""
    mixtures, conditions = small_inputs()
    with torch.inference_mode():
        return network(0.1 * mixtures, torch.nn.functional.normalize(conditions))


def test_int8_agrees_with_float32_and_is_not_float32(graphs: Path) -> None:
    network = small_network()
    wanted = separate(network)
    run_in_int8(network, "auto", Counted(network), graphs)
    ours = separate(network)
    assert min(sdr(wanted, ours)) > 12
    assert (ours - wanted).abs().max() > 1e-6


def test_only_the_inputs_of_inner_convolutions_are_quantised(graphs: Path) -> None:
    quantised, inner = quantised_and_inner(graphs)
    assert quantised == inner


def quantised_and_inner(folder: Path) -> tuple[set[str], set[str]]:
    """What has quantised inputs in the graph of a folder, and its layers on spectrograms without first and last."""
    (graph,) = folder.glob("*.xml")
    model = openvino_core().read_model(graph)
    quantised = {
        target.get_node().get_friendly_name()
        for operation in model.get_ordered_ops()
        if operation.get_type_name() == "FakeQuantize"
        for target in operation.output(0).get_target_inputs()
    }
    return quantised, {operation.get_friendly_name() for operation in spectrogram_layers(model)[1:-1]}


@pytest.mark.parametrize("light", [False, True])
def test_lasaft_runs_in_int8_but_for_what_the_query_decides(light: bool, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    network = small_lasaft(config=replace(SMALL_LASAFT, light=light))
    wanted = separate(network)
    run_in_int8(network, "auto", Counted(network), tmp_path)
    ours = separate(network)
    assert min(sdr(wanted, ours)) > 12
    assert (ours - wanted).abs().max() > 1e-6
    quantised, inner = quantised_and_inner(tmp_path)
    assert quantised
    assert quantised <= inner


def test_the_expected_loss_grows_as_the_agreement_with_float32_falls() -> None:
    assert expected_sdr(torch.tensor([300.0, 300.0])) == pytest.approx(10.0)
    assert expected_sdr(torch.tensor([10.0])) == pytest.approx(10.0 - 3.01, abs=0.01)  # as much noise again


def test_graphs_are_read_from_the_folder_by_later_processes(graphs: Path) -> None:
    network = small_network()
    examples = Counted(network)
    run_in_int8(network, "openvino", examples, graphs)
    separate(network)
    assert examples.calls == 0


def test_a_damaged_graph_is_made_again(graphs: Path, tmp_path: Path) -> None:
    (graph,) = graphs.glob("*.xml")
    (tmp_path / graph.name).write_text("<net")
    network = small_network()
    examples = Counted(network)
    run_in_int8(network, "auto", examples, tmp_path)
    wanted = separate(network)
    assert examples.calls == 1
    assert torch.isfinite(wanted).all()


def test_other_weights_have_a_graph_of_their_own(graphs: Path, tmp_path: Path) -> None:
    for graph in graphs.iterdir():
        (tmp_path / graph.name).write_bytes(graph.read_bytes())
    network = small_network()
    examples = Counted(network)
    run_in_int8(network, "auto", examples, tmp_path)
    layer = network.base.after_conv
    own, other = layer.weight.data, -layer.weight.data
    first = separate(network).clone()
    layer.weight.data = other  # as activating an adapter does
    changed = separate(network).clone()
    assert max(sdr(first, changed)) < 6
    layer.weight.data = own
    assert torch.equal(separate(network), first)
    layer.weight.data = other.clone()
    assert torch.equal(separate(network), changed)
    assert examples.calls == 1


def test_passes_with_gradients_run_in_torch(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    network = small_network()
    wanted = network(*small_inputs())
    run_in_int8(network, "auto", Counted(network), tmp_path)
    assert torch.equal(network(*small_inputs()), wanted)
    assert not list(tmp_path.iterdir())


def test_adapters_that_are_no_weight_deltas_run_in_torch(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    network = small_network()
    bank = AdapterBank(network)
    bank.add("domain0", loaded(network, AdapterSettings("conv-adapter"), 1))
    bank.activate("domain0")
    wanted, plain = separate(network), small_network()
    assert not torch.allclose(wanted, separate(plain))
    run_in_int8(network, "auto", Counted(network), tmp_path)
    assert torch.equal(separate(network), wanted)


@pytest.mark.parametrize(
    ("network", "backend", "message"),
    [
        (small_network, "torch", "--precision int8: runs in OpenVINO; leave --backend torch out"),
        (lambda: small_network().to("meta"), "auto", "--precision int8: runs on a CPU, not on meta"),
    ],
)
def test_what_cannot_run_in_int8_is_said(
    network: Callable[[], BaseModel], backend: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        run_in_int8(network(), backend, lambda: pytest.fail("examples were asked for"), tmp_path)  # type: ignore[arg-type]


def test_a_missing_package_is_said_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "nncf" else found(name))
    message = "--precision int8: needs nncf, which is not installed; pip install 'dplass[int8]'"
    with pytest.raises(InputError, match=re.escape(message)):
        run_in_int8(small_network(), "auto", lambda: pytest.fail("examples were asked for"), tmp_path)  # type: ignore[arg-type]


def test_quantised_graphs_compute_the_rest_in_bfloat16_where_the_processor_has_it(
    graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def compile_graph(model: Any, precision: str) -> Callable[[Inputs], torch.Tensor]:
        used.append(precision)
        return openvino.compile_graph(model, precision)

    monkeypatch.setattr(quantization, "compile_graph", compile_graph)
    for capability in (True, False):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda capability=capability: {"avx512_bf16": capability}, raising=False
        )
        network = small_network()
        run_in_int8(network, "auto", Counted(network), graphs)
        separate(network)
    assert used == ["bf16", "f32"]


def test_quantising_makes_no_second_runtime_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    openvino_core()  # a second one would free this one's signal stack, and the next Ctrl-C would be a crash
    made: list[object] = []
    for module in (openvino.openvino_module(), sys.modules["openvino._ov_api"]):  # the second makes those of functions
        monkeypatch.setattr(module, "Core", lambda: made.append(1))
    # Nothing may be lost, so NNCF also validates with layers put back, in compiled models of its own.
    monkeypatch.setattr(quantization, "MAX_LOSS_DB", 0.0)
    network = small_network()
    run_in_int8(network, "auto", Counted(network), tmp_path)
    separate(network)
    assert not made
