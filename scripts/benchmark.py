"""Measure the claims of speed as ratios against the plain procedure, in one run; writes JSON.

    python scripts/benchmark.py [--output benchmark.json] [--repeats 3]

The plain procedure is what is published: two convolutions a layer, seven whole models, one item at a time, the mixture
transformed once for every model. Nothing is asserted; a ratio above 1 says that ours is faster.
"""

from __future__ import annotations

import argparse
import copy
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dplass_cli import load_base
from dplass_cli.adapters import AdapterSettings, eject, inject, make_adapters, targets
from dplass_cli.adapters.base import Adapter
from dplass_cli.models import BaseModel
from dplass_cli.models.resunet30 import ResUNet30Config
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.storage import json_text, write_text

SECONDS = 5.0


class TwoConvolutions(nn.Module):
    """An adapted layer as published: the frozen convolution and the adapter's, added."""

    def __init__(self, frozen: nn.Conv2d, adapter: Adapter) -> None:
        super().__init__()
        self.frozen, self.beside = frozen, copy.deepcopy(frozen)
        self.beside.weight = nn.Parameter(adapter.get_parameter("kernel").detach().clone())
        self.scale = float(adapter.scale)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.frozen(x) + self.scale * self.beside(x)
        return out


def plain(network: BaseModel, adapters: dict[str, Adapter]) -> BaseModel:
    """A whole copy of the network with two convolutions in every adapted layer."""
    whole = copy.deepcopy(network)
    for target in targets(whole):
        parent, _, name = target.path.rpartition(".")
        setattr(whole.get_submodule(parent), name, TwoConvolutions(target.layer, adapters[target.path]))
    return whole


def perturbed(network: BaseModel) -> dict[str, Adapter]:
    """Adapters that do something."""
    adapters = make_adapters(network, AdapterSettings())
    for adapter in adapters.values():
        nn.init.normal_(adapter.get_parameter("kernel"), std=0.01)
    return adapters


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, after one to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def training_step(network: BaseModel, batch: int, repeats: int) -> dict[str, float]:
    """A step of adapter training: one parametrised convolution a layer against two."""
    mixture = 0.1 * torch.randn(batch, 1, round(2.0 * network.config.sample_rate))
    condition = nn.functional.normalize(torch.randn(batch, network.config.condition_size), dim=-1)
    adapters = perturbed(network)
    two = plain(network, adapters)
    inject(network, adapters)
    ours = fastest(lambda: network(mixture, condition).abs().mean().backward(), repeats)
    eject(network, adapters)
    theirs = fastest(lambda: two(mixture, condition).abs().mean().backward(), repeats)
    return {"plain_s": theirs, "ours_s": ours, "ratio": theirs / ours}


@torch.inference_mode()
def seven_adapters(network: BaseModel, items: int, repeats: int) -> dict[str, float]:
    """Every adapter on some mixtures: one base and deltas, in batch, against seven unmerged models item by item."""
    mixtures = 0.1 * torch.randn(items, 1, round(SECONDS * network.config.sample_rate))
    condition = nn.functional.normalize(torch.randn(items, network.config.condition_size), dim=-1)
    banks = [perturbed(network) for _ in range(7)]
    models = [plain(network, adapters) for adapters in banks]
    bank = AdapterBank(network)
    bank._adapters = {str(number): adapters for number, adapters in enumerate(banks)}

    def ours() -> None:
        analysis = network.analyse(mixtures)
        for key in bank.keys:
            bank.activate(key)
            network(analysis, condition)
        bank.activate(None)

    def theirs() -> None:
        for item in range(items):
            for model in models:
                model(mixtures[item : item + 1], condition[item : item + 1])

    def switches() -> None:
        for key in bank.keys:
            bank.activate(key)

    slow, quick, switch = (fastest(work, repeats) for work in (theirs, ours, switches))
    one = fastest(lambda: network(mixtures[:1], condition[:1]), repeats)
    return {"plain_s": slow, "ours_s": quick, "ratio": slow / quick, "switch_share_of_forward": switch / 7 / one}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmark.json"))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    results: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    full = BaseModel(ResUNet30Config()).eval().requires_grad_(False)
    for name, network, batch, items in (("tiny", load_base("tiny"), 4, 8), ("full width", full, 1, 1)):
        results[name] = {
            "training_step": training_step(network, batch, arguments.repeats),
            "seven_adapters": seven_adapters(network, items, arguments.repeats),
        }
    write_text(arguments.output, json_text(results) + "\n")
    print(json_text(results))


if __name__ == "__main__":
    main()
