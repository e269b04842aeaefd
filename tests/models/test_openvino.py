"""The networks in OpenVINO against torch: every width, adapter and length in one compiled graph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import SMALL, SMALL_LASAFT, loaded, small_inputs, small_lasaft, small_network

from dplass_cli import load_base
from dplass_cli.adapters.injection import statistics_of
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, ResUNet30, make_network
from dplass_cli.models.backends import OpenVINOBody, choose_backend
from dplass_cli.models.flops import layer_costs
from dplass_cli.models.openvino import openvino_core
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config
from dplass_cli.separation.bank import AdapterBank

pytest.importorskip("openvino", reason="pip install 'dplass[openvino]'")


def difference(network: BaseModel, mixture: torch.Tensor, condition: torch.Tensor) -> float:
    """The largest difference between OpenVINO and torch, relative to large outputs, which must not be empty."""
    runner = network.backbone.runner
    assert isinstance(runner, OpenVINOBody)
    with torch.inference_mode():
        ours = network(mixture, condition)
        network.backbone.runner = None
        wanted = network(mixture, condition)
    network.backbone.runner = runner
    assert wanted.abs().max() > 1e-3
    return float((ours - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, stem=(2, 4), input_power=0.3)])
def test_equals_torch_at_any_length_and_batch(config: ResUNet30Config) -> None:
    network = small_network(config=config)
    choose_backend(network, "openvino")
    mixture, condition = small_inputs()
    assert difference(network, mixture, condition) < 1e-4
    assert difference(network, mixture[:1, :, :777], condition[:1]) < 1e-4
    assert difference(network, mixture.repeat(2, 1, 3), condition.repeat(2, 1)) < 1e-4


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"spec_type": "magnitude", "spec_est_mode": "masking", "last_activation": "sigmoid", "condition_to": "full"},
        {"light": True, "tdf_bias": False, "condition_to": "encoder"},
    ],
)
def test_lasaft_equals_torch_in_stereo_at_any_length_and_batch(given: dict[str, Any]) -> None:
    network = small_lasaft(config=replace(SMALL_LASAFT, **given))
    choose_backend(network, "openvino")
    mono, condition = small_inputs()
    mixture = torch.cat((mono, mono.flip(0)), dim=1)
    assert difference(network, mixture, condition) < 1e-4
    assert difference(network, mixture[:1, :, :777], condition[:1]) < 1e-4
    assert difference(network, mixture.repeat(2, 1, 3), condition.repeat(2, 1)) < 1e-4


def test_the_tiny_network_equals_torch() -> None:
    network = load_base("tiny")
    choose_backend(network, "openvino")
    generator = torch.Generator().manual_seed(0)
    condition = torch.nn.functional.normalize(torch.randn(1, network.config.condition_size, generator=generator))
    assert difference(network, 0.1 * torch.randn(1, 1, 64000, generator=generator), condition) < 1e-4


@pytest.mark.parametrize("method", ["reconv", "lora", "dora"])
@pytest.mark.parametrize("make", [small_network, small_lasaft])
def test_adapters_and_blends_run_in_one_graph(make: Callable[[], BaseModel], method: str) -> None:
    network = make()
    bank, everywhere = AdapterBank(network), tuple(sorted({layer.kind for layer in network.adaptable_layers()}))
    for number in range(2):
        bank.add(f"domain{number}", loaded(network, AdapterSettings(method, targets=everywhere), number + 1))
    choose_backend(network, "openvino")
    runner = network.backbone.runner
    assert isinstance(runner, OpenVINOBody)
    outputs, graphs = [], set()
    for activation in (None, "domain0", {"domain0": 0.3, "domain1": 0.7}):
        bank.activate(activation)
        assert difference(network, *small_inputs()) < 1e-4
        with torch.inference_mode():
            outputs.append(network(*small_inputs()))
        graphs.add(id(runner._run))
    assert (outputs[0] - outputs[1]).abs().max() > 1e-2
    assert (outputs[1] - outputs[2]).abs().max() > 1e-2
    assert len(graphs) == 1


def test_changed_statistics_compile_a_new_graph() -> None:
    network = small_network()
    bank = AdapterBank(network)
    moved = {name: buffer * 1.5 for name, buffer in statistics_of(network).items() if buffer.is_floating_point()}
    bank.add("moved", loaded(network, AdapterSettings("reconv"), statistics=moved))
    choose_backend(network, "openvino")
    assert difference(network, *small_inputs()) < 1e-4
    bank.activate("moved")
    assert difference(network, *small_inputs()) < 1e-4


def test_constant_weights_are_compiled_once_and_again_for_other_weights() -> None:
    network = small_network()
    bank = AdapterBank(network)
    bank.add("domain0", loaded(network, AdapterSettings("lora")))
    choose_backend(network, "openvino", constant_weights=True)
    runner = network.backbone.runner
    assert isinstance(runner, OpenVINOBody)
    graphs = []
    for activation in (None, None, "domain0", None):
        bank.activate(activation)
        assert difference(network, *small_inputs()) < 1e-4
        graphs.append(runner._run)
    assert graphs[0] is graphs[1]
    assert graphs[1] is not graphs[2]
    assert graphs[2] is not graphs[3]


def test_gradients_and_branches_run_in_torch() -> None:
    network = small_network()
    bank = AdapterBank(network)
    bank.add("branches", loaded(network, AdapterSettings("conv-adapter")))
    choose_backend(network, "openvino")
    bank.activate("branches")
    assert difference(network, *small_inputs()) == 0.0
    bank.activate(None)
    network.requires_grad_(True)
    network(*small_inputs()).sum().backward()
    assert network.base.pre_conv.weight.grad is not None


def test_auto_stays_with_torch_until_a_compilation_pays() -> None:
    network = small_network()
    choose_backend(network, "auto", warmup_macs=1.5 * 2000 / 80 * 128 * 2 * network.base.macs_per_cell)
    assert difference(network, *small_inputs()) == 0.0
    assert 0.0 < difference(network, *small_inputs()) < 1e-4


def test_autocast_computes_in_bfloat16_and_only_while_it_lasts() -> None:
    network, inputs = small_network(), small_inputs()
    with torch.inference_mode():
        exact = network(*inputs)
        choose_backend(network, "openvino")
        with torch.autocast("cpu", torch.bfloat16):
            roughly = network(*inputs)
        again = network(*inputs)
    error = float((roughly - exact).norm() / exact.norm())
    assert error < 0.03
    if "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert error > 1e-4  # elsewhere it stays with float32
    assert float((again - exact).abs().max()) < 1e-4


def test_macs_per_cell_agree_with_the_exact_count() -> None:
    for config in (ResUNet30Config(), load_base("tiny").config, LaSAFTConfig(), LaSAFTConfig(light=True)):
        with torch.device("meta"):
            per_cell = make_network(config).backbone.macs_per_cell
        roughly = per_cell * config.n_fft / 2 * config.sample_rate / config.hop
        exactly = sum(cost.macs_per_second for cost in layer_costs(config))
        assert roughly == pytest.approx(exactly, rel=0.02)


def test_a_result_is_not_overwritten_by_the_next() -> None:
    network = small_network()
    choose_backend(network, "openvino")
    mixture, condition = small_inputs()
    with torch.inference_mode():
        first = network(mixture, condition)
        kept = first.clone()
        network(-2 * mixture, condition)
    assert torch.equal(first, kept)


def test_unavailable_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    with pytest.raises(InputError, match="--backend tensorrt: must be one of auto, torch, openvino"):
        choose_backend(network, "tensorrt")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not on meta; give --device cpu"):
        choose_backend(ResUNet30(SMALL).to("meta"), "openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'dplass\[openvino\]'"):
        choose_backend(network, "openvino")
    choose_backend(network, "auto")
    assert network.base.runner is None


def test_importing_openvino_sends_no_telemetry() -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('the network was touched')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from dplass_cli.models.openvino import openvino_module\n"
        "assert openvino_module().__version__\n"
        "assert not [name for name in sys.modules if name.startswith(('openvino_telemetry', 'openvino.tools'))]\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_may_have_any_memory_layout() -> None:
    network = small_network()
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
    choose_backend(network, "openvino")
    assert difference(network, *small_inputs()) < 1e-4
    assert np.isfinite(network.base.macs_per_cell)


def test_signals_are_handled_after_compiled_networks_are_destroyed() -> None:
    code = (
        "import gc, signal, torch\n"
        "from small_networks import small_inputs, small_network\n"
        "from dplass_cli.models.backends import choose_backend\n"
        "networks = []\n"
        "for _ in range(2):\n"
        "    network = small_network()\n"
        "    choose_backend(network, 'openvino')\n"
        "    with torch.inference_mode():\n"
        "        network(*small_inputs())\n"
        "    networks.append(network)\n"
        "del network\n"
        "while networks:\n"
        "    networks.pop(0)\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
        "signal.raise_signal(signal.SIGTERM)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1] / "support",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
