"""CUDA graphs. On a CPU a fake replays a graph by running the captured function again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from small_networks import EVERYWHERE, loaded, small_inputs, small_network
from torch import Tensor

from dplass_cli import Separator, load_base, sounds
from dplass_cli.adapters.injection import statistics_of
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.models import BaseModel
from dplass_cli.models.cuda_graphs import REPEATS, GraphedBody, replay_windows
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.separation.bank import AdapterBank

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


class FakeCapture:
    """Captures on a CPU: replaying runs the captured function again."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, run: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
        self.count += 1
        output = run()

        def replay() -> None:
            output.copy_(run())

        return replay, output


@pytest.fixture
def captures() -> FakeCapture:
    return FakeCapture()


def graphed(network: BaseModel, capture: FakeCapture) -> GraphedBody:
    network.base.runner = GraphedBody(network.base, capture)
    return network.base.runner


@contextmanager
def eagerly(network: BaseModel) -> Iterator[None]:
    runner, network.base.runner = network.base.runner, None
    yield
    network.base.runner = runner


def difference(network: BaseModel, mixture: Tensor, condition: Tensor) -> float:
    """The largest difference between the graph and the network itself, which must not be of an empty output."""
    with torch.inference_mode():
        ours = network(mixture, condition)
        with eagerly(network):
            wanted = network(mixture, condition)
    assert wanted.abs().max() > 1e-3
    return float((ours - wanted).abs().max())


def warmed(network: BaseModel, mixture: Tensor, condition: Tensor) -> None:
    """Show a shape often enough that it has a graph."""
    with torch.inference_mode():
        for _ in range(REPEATS):
            network(mixture, condition)


def test_a_shape_is_captured_when_it_occurs_several_times_in_a_row(captures: FakeCapture) -> None:
    network = small_network()
    graphed(network, captures)
    mixture, condition = small_inputs()
    made = []
    with torch.inference_mode():
        for length in (2000, 1200, 2000, 2000, 2000, 2000, 1200, 2000, 1200, 1200, 1200):
            network(mixture[..., :length], condition)
            made.append(captures.count)
    assert made == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]
    assert difference(network, mixture[..., :1200], condition) == 0.0
    assert difference(network, mixture, condition) == 0.0
    assert captures.count == 2


def adapters_follow(network: BaseModel, method: str, mixture: Tensor, condition: Tensor) -> None:
    """Activate adapters and blends after the capture, and compare each with the network itself."""
    bank = AdapterBank(network)
    moved = {name: buffer * 1.5 for name, buffer in statistics_of(network).items() if buffer.is_floating_point()}
    for number, statistics in enumerate(({}, moved)):
        settings = AdapterSettings(method, targets=EVERYWHERE)
        bank.add(f"domain{number}", loaded(network, settings, number + 1, statistics))
    warmed(network, mixture, condition)
    outputs = []
    for activation in ("domain0", "domain1", {"domain0": 0.3, "domain1": 0.7}, "domain0", None):
        bank.activate(activation)
        assert difference(network, mixture, condition) < 1e-4
        with torch.inference_mode():
            outputs.append(network(mixture, condition))
    for one, other in ((0, 1), (1, 2), (2, 3), (3, 4)):
        assert (outputs[one] - outputs[other]).abs().max() > 1e-2
    assert (outputs[0] - outputs[3]).abs().max() < 1e-5


@pytest.mark.parametrize("method", ["reconv", "lora", "dora"])
def test_adapters_run_in_one_graph(captures: FakeCapture, method: str) -> None:
    network = small_network()
    graphed(network, captures)
    adapters_follow(network, method, *small_inputs())
    assert captures.count == 1


def body_inputs(network: BaseModel) -> tuple[Tensor, dict[str, Tensor]]:
    """What the body of a network takes, in float32: (2, 1, frames, bins) and betas."""
    mixture, condition = small_inputs()
    return network.base.analyse(mixture).features[:, :, :24, :-1], network.film(condition)


def test_a_result_is_not_overwritten_by_the_next(captures: FakeCapture) -> None:
    network = small_network()
    runner = graphed(network, captures)
    x, betas = body_inputs(network)
    with torch.no_grad():
        first = [runner(x, betas) for _ in range(REPEATS)][-1]
        kept = first.clone()
        second = runner(3 * x, {path: -beta for path, beta in betas.items()})
        assert torch.equal(second, network.base.body(3 * x, {path: -beta for path, beta in betas.items()}))
    assert torch.equal(first, kept)
    assert (first - second).abs().max() > 1e-3
    assert captures.count == 1
    assert not first.is_inference()


def test_each_precision_has_its_own_graph(captures: FakeCapture) -> None:
    network = small_network()
    runner = graphed(network, captures)
    x, betas = body_inputs(network)
    for bfloat16 in (True, False):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            ours = [runner(x, betas) for _ in range(REPEATS)]
            assert all(torch.equal(one, network.base.body(x, betas)) for one in ours)
            assert ours[-1].dtype == (torch.bfloat16 if bfloat16 else torch.float32)
    assert captures.count == 2


def test_gradients_and_branches_run_in_the_network(captures: FakeCapture) -> None:
    network = small_network()
    graphed(network, captures)
    bank = AdapterBank(network)
    bank.add("branches", loaded(network, AdapterSettings("conv-adapter")))
    bank.activate("branches")
    warmed(network, *small_inputs())
    assert difference(network, *small_inputs()) == 0.0
    bank.activate(None)
    network.requires_grad_(True)
    for _ in range(REPEATS):
        network(*small_inputs()).sum().backward()
    assert network.base.pre_conv.weight.grad is not None
    assert captures.count == 0


def test_a_network_on_a_cpu_gets_no_graphs() -> None:
    network = small_network()
    replay_windows(network)
    assert network.base.runner is None


def test_long_recordings_are_separated_in_graphs(captures: FakeCapture) -> None:
    separator = Separator.from_pretrained(device="cpu", backend="torch", policy="base", window=8.0)
    rain = sounds.render("rain", 1, 45.0, 32000)[None]
    wanted = separator(rain, 32000, ["rain falling"])["rain falling"]
    graphed(separator.bank.network, captures)
    np.testing.assert_allclose(separator(rain, 32000, ["rain falling"])["rain falling"], wanted, atol=1e-5)
    assert captures.count == 1


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("method", ["reconv", "lora", "dora"])
def test_adapters_run_in_one_graph_on_a_gpu(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cudnn.allow_tf32", False)
    network = small_network().to("cuda")
    replay_windows(network)
    mixture, condition = small_inputs()
    adapters_follow(network, method, mixture.to("cuda"), condition.to("cuda"))
    runner = network.base.runner
    assert isinstance(runner, GraphedBody)
    assert runner._graph is not None


@needs_cuda
@pytest.mark.gpu
def test_bfloat16_in_a_graph_on_a_gpu() -> None:
    network = load_base("tiny", "cuda")
    replay_windows(network)
    generator = torch.Generator().manual_seed(0)
    condition = torch.nn.functional.normalize(torch.randn(1, network.config.condition_size, generator=generator))
    mixture = 0.1 * torch.randn(1, 1, 320000, generator=generator)
    given = mixture.to("cuda"), condition.to("cuda")
    with torch.inference_mode(), eagerly(network):
        exact = network(*given)
    with torch.autocast("cuda", torch.bfloat16):
        warmed(network, *given)
        assert difference(network, *given) < 1e-2  # of algorithms that may differ
        with torch.inference_mode():
            near = network(*given)
    assert sdr(exact[0, 0].cpu().numpy(), near[0, 0].cpu().numpy()) > 30.0


@needs_cuda
@pytest.mark.gpu
def test_a_separator_on_a_gpu_gives_what_one_on_a_cpu_gives() -> None:
    rain = sounds.render("rain", 1, 60.0, 32000)[None]
    wanted = Separator.from_pretrained(device="cpu")(rain, 32000, ["rain falling"])["rain falling"]
    for backend in ("auto", "torch"):
        separator = Separator.from_pretrained(device="cuda", backend=backend)
        runner = separator.bank.network.base.runner
        assert isinstance(runner, GraphedBody) == (backend == "auto")
        assert sdr(wanted[0], separator(rain, 32000, ["rain falling"])["rain falling"][0]) > 25.0
