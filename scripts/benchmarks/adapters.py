"""Measurements of adapters: training steps, evaluating seven, switching, memory and disk space."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measuring import SECONDS, fastest, inputs, peak_memory, perturbed, plain, published_steps
from dplass_cli.adapters import METHODS, adapted
from dplass_cli.adapters.adapter_folder import save_adapter
from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.devices import has_bfloat16
from dplass_cli.models import BaseModel, save_base
from dplass_cli.models.audiosep_checkpoint import write_checkpoint
from dplass_cli.separation.bank import AdapterBank


def kept_for_gradient(network: nn.Module, mixture: Tensor, condition: Tensor) -> float:
    """MiB that a forward pass stores for the gradient, without the network's own tensors; equal on every machine."""
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(mixture, condition).abs().mean()
    return sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in own) / 2**20


def training_step(network: BaseModel, batch: int, repeats: int, method: str = "reconv") -> dict[str, float]:
    """A training step: one convolution per layer and frozen batch norms, against the published step of the method."""
    mixture, condition = inputs(network, batch, 2.0)
    adapter = perturbed(network, method)
    two = plain(network, adapter).train()

    def step(model: nn.Module, bfloat16: bool = False) -> Callable[[], None]:
        def run() -> None:
            with torch.autocast(mixture.device.type, torch.bfloat16, enabled=bfloat16):
                loss = model(mixture, condition).abs().mean()
            loss.backward()

        return run

    with adapted(network, adapter.layers):
        ours = fastest(step(network), repeats)
        in_bfloat16 = fastest(step(network, True), repeats) if has_bfloat16(mixture.device) else None
        our_peak, our_kept = peak_memory(step(network), mixture.device), kept_for_gradient(network, mixture, condition)
    with published_steps():
        theirs = fastest(step(two), repeats)
        their_peak, their_kept = peak_memory(step(two), mixture.device), kept_for_gradient(two, mixture, condition)
    return {
        "plain_s": theirs,
        "ours_s": ours,
        "time_of_plain": ours / theirs,
        **({} if in_bfloat16 is None else {"bfloat16_time_of_plain": in_bfloat16 / theirs}),
        "plain_peak_mib": their_peak,
        "ours_peak_mib": our_peak,
        "peak_of_plain": our_peak / their_peak,
        "plain_kept_mib": their_kept,
        "ours_kept_mib": our_kept,
        "kept_of_plain": our_kept / their_kept,
    }


@torch.inference_mode()
def seven_adapters(network: BaseModel, items: int, repeats: int) -> dict[str, float]:
    """Run seven adapters on mixtures: one base and deltas in batches, against seven unmerged models item by item."""
    mixtures, condition = inputs(network, items, SECONDS)
    adapters = [perturbed(network) for _ in range(7)]
    models = [plain(network, adapter) for adapter in adapters]
    bank = AdapterBank(network)
    for number, adapter in enumerate(adapters):
        bank.add(f"domain{number}", adapter)

    def ours() -> None:
        analysis = network.analyse(mixtures)
        for key in bank.keys:
            bank.activate(key)
            network(analysis, condition)
        bank.activate(None)

    def theirs() -> None:
        with published_steps():
            for item in range(items):
                for model in models:
                    model(mixtures[item : item + 1], condition[item : item + 1])

    theirs_s, ours_s = (fastest(work, repeats) for work in (theirs, ours))
    return {"plain_s": theirs_s, "ours_s": ours_s, "time_of_plain": ours_s / theirs_s}


@torch.inference_mode()
def switching(network: BaseModel, repeats: int) -> dict[str, float]:
    """Time of switching adapters for each method, relative to one forward pass over 10 s."""
    mixture, condition = inputs(network, 1, SECONDS)
    result = {"forward_s": fastest(lambda: network(mixture, condition), repeats)}
    for method in METHODS:
        bank = AdapterBank(network)
        for number in range(7):
            bank.add(f"domain{number}", perturbed(network, method))

        def switch(bank: AdapterBank = bank) -> None:
            for key in bank.keys:
                bank.activate(key)

        result[f"{method}_share_of_forward"] = fastest(switch, repeats) / 7 / result["forward_s"]
        bank.activate(None)
    return result


def held(network: BaseModel) -> dict[str, float]:
    """MiB of the tensors of a bank of seven reconv adapters after switching, against seven whole models."""

    def mib(tensors: Iterable[Tensor]) -> float:
        return sum({t.data_ptr(): t.numel() * t.element_size() for t in tensors}.values()) / 2**20

    adapters = [perturbed(network) for _ in range(7)]
    bank = AdapterBank(network)
    for number, adapter in enumerate(adapters):
        bank.add(f"domain{number}", adapter)
    for key in bank.keys:
        bank.activate(key)
    deltas = [p for adapter in adapters for layer in adapter.layers.values() for p in layer.parameters()]
    frozen = [bank._base_weights[path] for path in bank._base_weights]
    ours = mib([*network.state_dict().values(), *deltas, *frozen])
    bank.activate(None)
    base, one = (
        mib(network.state_dict().values()),
        mib(p for layer in adapters[0].layers.values() for p in layer.parameters()),
    )
    return {"base_mib": base, "adapter_mib": one, "bank_of_7_mib": ours, "of_plain": ours / (7 * (base + one))}


def disk(network: BaseModel) -> dict[str, float]:
    """MB on disk of a base and seven adapters of each method, against seven published files (whole models)."""

    def size(folder: Path) -> float:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6

    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_base(folder / "base" / "base.safetensors", network, None)
        base = size(folder / "base")
        for method in METHODS:
            adapter = perturbed(network, method)
            save_adapter(folder / method, adapter)
            write_checkpoint(folder / f"{method}.pt", to_published(adapter, network))
            ours, theirs = base + 7 * size(folder / method), 7 * (folder / f"{method}.pt").stat().st_size / 1e6
            result |= {f"{method}_mb": size(folder / method), f"{method}_of_plain": ours / theirs}
    return result
