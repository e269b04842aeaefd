"""Timing and memory measurement, and the parts of the published procedure."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from unittest import mock

import torch
from torch import Tensor, nn

from dplass_cli.adapters import Adapter, make_adapters
from dplass_cli.adapters.adapter_folder import AdapterInfo, LoadedAdapter
from dplass_cli.adapters.injection import layer_at, layer_settings
from dplass_cli.devices import has_bfloat16
from dplass_cli.models import BaseModel
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.parse import to_mapping

SECONDS = 10.0
clocks: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
clock = "wall"


def now() -> float:
    """Seconds on the selected clock."""
    return clocks[clock]()


class TwoConvolutions(nn.Module):
    """An adapted layer as published: the frozen convolution and the adapter's, added."""

    def __init__(self, frozen: nn.Module, adapter: Adapter) -> None:
        super().__init__()
        self.frozen, self.adapted = frozen, copy.deepcopy(frozen)
        self.adapted.weight = nn.Parameter(adapter.get_parameter("kernel").detach().clone())
        self.scale = float(adapter.scale)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.frozen(x) + self.scale * self.adapted(x)
        return out


def plain(network: BaseModel, adapter: LoadedAdapter) -> BaseModel:
    """The published model: a copy in the default memory format, with ``reconv`` two convolutions per adapted layer.

    With the other methods, the published model adds the delta to the weight, too.
    """
    whole = copy.deepcopy(network)
    for path, layer in adapter.layers.items():
        parent, _, name = path.rpartition(".")
        if adapter.info.method == "reconv":
            setattr(whole.get_submodule(parent), name, TwoConvolutions(layer_at(whole, path), layer))
        else:
            copy.deepcopy(layer).attach(layer_at(whole, path))
    for parameter in whole.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.contiguous_format)
    return whole


@contextlib.contextmanager
def published_steps() -> Iterator[None]:
    """Run the published operations between convolutions, whose inputs autograd stores."""

    def conditioned(norm: nn.Module, x: Tensor, beta: Tensor) -> Tensor:
        return nn.functional.leaky_relu(norm(x) + beta, 0.01)

    def applied(layer: nn.Module, x: Tensor) -> Tensor:
        out: Tensor = layer(x)
        return out

    with mock.patch.multiple(
        "dplass_cli.models.resunet30",
        conditioned=conditioned,
        average_pool=nn.functional.avg_pool2d,
        convolution=applied,
        pointwise=applied,
    ):
        yield


def perturbed(network: BaseModel, method: str = "reconv") -> LoadedAdapter:
    """An adapter with random weights."""
    settings = AdapterSettings(method)
    layers = layer_settings(network, settings)
    adapters = make_adapters(network, method, layers)
    for adapter in adapters.values():
        for parameter in adapter.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
    return LoadedAdapter(adapters, {}, AdapterInfo(method, layers, network.sha256(), to_mapping(network.config)))


def fastest(work: Callable[[], object], repeats: int, warm_up: bool = True) -> float:
    """Seconds of the fastest run, after one to warm up."""
    if warm_up:
        work()
    times = []
    for _ in range(repeats):
        synchronise()
        start = now()
        work()
        synchronise()
        times.append(now() - start)
    return min(times)


def precisions(device: torch.device) -> list[Literal["32-true", "bf16-mixed"]]:
    """Those that a device computes in hardware; emulated bfloat16 takes minutes."""
    return ["32-true", "bf16-mixed"] if has_bfloat16(device) else ["32-true"]


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(work: Callable[[], object], device: torch.device) -> float:
    """Peak memory of a piece of work in MiB, in addition to what is allocated before it.

    On a CPU it is the resident memory of a forked process, so that memory that the allocator kept from earlier work
    does not count; NaN on systems without ``/proc``.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - held) / 2**20
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def measure() -> None:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the current value
        held = resident("VmRSS")
        work()
        sending.send(resident("VmHWM") - held)

    child = context.Process(target=measure)
    child.start()
    peak: float = receiving.recv()
    child.join()
    return peak


def resident(what: str) -> float:
    """Memory of this process in MiB: ``VmRSS`` is the current, ``VmHWM`` the peak resident memory (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def inputs(network: BaseModel, items: int, seconds: float) -> tuple[Tensor, Tensor]:
    """Mixtures (items, 1, T) and unit conditions (items, D) on the network's device."""
    device = next(network.parameters()).device
    mixture = 0.1 * torch.randn(items, 1, round(seconds * network.config.sample_rate))
    condition = nn.functional.normalize(torch.randn(items, network.config.condition_size), dim=-1)
    return mixture.to(device), condition.to(device)
