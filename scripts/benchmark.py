"""Measure the claims of speed as ratios against the plain procedure, in one run; writes JSON.

    python scripts/benchmark.py [--output benchmark.json] [--repeats 3] [--training-loop]

The plain procedure is what is published: two convolutions a layer, seven whole models, one item at a time, the mixture
transformed once for every model. Nothing is asserted; ``…_of_plain`` is ours over the plain procedure's.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import ctypes
import importlib.util
import multiprocessing
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import soundfile
import torch
import torchaudio
from torch import Tensor, nn

from dplass_cli import load_base
from dplass_cli.adapters import METHODS, Adapter, AdapterSettings, adapted, make_adapters
from dplass_cli.adapters.files import AdapterInfo, LoadedAdapter, save_adapter
from dplass_cli.adapters.injection import layer_at, layer_settings
from dplass_cli.adapters.published import to_published
from dplass_cli.audio.files import write_audio
from dplass_cli.configuration import to_mapping
from dplass_cli.data.manifest import Row
from dplass_cli.data.samples import Source, TrainingSamples
from dplass_cli.data.settings import DataSettings
from dplass_cli.devices import choose_device
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.encoders.laion import LaionConfig, LaionEncoder
from dplass_cli.encoders.laion_audio import LogMel
from dplass_cli.encoders.laion_model import build_clap, settle_buffers
from dplass_cli.encoders.laion_text import pad
from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.models import BaseModel, save_base
from dplass_cli.models.resunet30 import ResUNet30Config
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.sounds import render
from dplass_cli.storage import json_text, write_text
from dplass_cli.training.settings import OptimizerSettings, TrainSettings
from dplass_cli.training.trainer import Hardware, Job, ValidationMixtures, train_network
from dplass_cli.weights.audiosep import write_checkpoint

SECONDS = 10.0


class TwoConvolutions(nn.Module):
    """An adapted layer as published: the frozen convolution and the adapter's, added."""

    def __init__(self, frozen: nn.Module, adapter: Adapter) -> None:
        super().__init__()
        self.frozen, self.beside = frozen, copy.deepcopy(frozen)
        self.beside.weight = nn.Parameter(adapter.get_parameter("kernel").detach().clone())
        self.scale = float(adapter.scale)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.frozen(x) + self.scale * self.beside(x)
        return out


def plain(network: BaseModel, adapter: LoadedAdapter) -> BaseModel:
    """A whole copy of the network with two convolutions in every adapted layer."""
    whole = copy.deepcopy(network)
    for path, layer in adapter.layers.items():
        parent, _, name = path.rpartition(".")
        setattr(whole.get_submodule(parent), name, TwoConvolutions(layer_at(whole, path), layer))
    return whole


@contextlib.contextmanager
def published_steps() -> Iterator[None]:
    """Let networks take the published steps between convolutions, of which autograd keeps every input."""

    def conditioned(norm: nn.Module, x: Tensor, beta: Tensor) -> Tensor:
        return nn.functional.leaky_relu(norm(x) + beta, 0.01)

    def pointwise(layer: nn.Module, x: Tensor) -> Tensor:
        out: Tensor = layer(x)
        return out

    steps = {"conditioned": conditioned, "average_pool": nn.functional.avg_pool2d, "pointwise": pointwise}
    with mock.patch.multiple("dplass_cli.models.resunet30", **steps):
        yield


def perturbed(network: BaseModel, method: str = "reconv") -> LoadedAdapter:
    """An adapter that does something."""
    settings = AdapterSettings(method)
    layers = layer_settings(network, settings)
    adapters = make_adapters(network, method, layers)
    for adapter in adapters.values():
        for parameter in adapter.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
    return LoadedAdapter(adapters, {}, AdapterInfo(method, layers, network.sha256(), to_mapping(network.config)))


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, after one to warm up."""
    work()
    times = []
    for _ in range(repeats):
        synchronise()
        began = time.perf_counter()
        work()
        synchronise()
        times.append(time.perf_counter() - began)
    return min(times)


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(work: Callable[[], object], device: torch.device) -> float:
    """MiB that a piece of work needs at its peak, over what is held before it.

    On a CPU this is told by the resident memory of a forked copy of this process, so that what earlier work left to the
    allocator does not count; nan where the system cannot tell.
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
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is resident now
        held = resident("VmRSS")
        work()
        sending.send(resident("VmHWM") - held)

    child = context.Process(target=measure)
    child.start()
    peak: float = receiving.recv()
    child.join()
    return peak


def resident(what: str) -> float:
    """A line of this process's memory in MiB: ``VmRSS`` now, ``VmHWM`` at its peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def kept_for_gradient(network: nn.Module, mixture: Tensor, condition: Tensor) -> float:
    """MiB that a forward keeps for its gradient, besides what the network holds: exact, the same on every machine."""
    held = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(mixture, condition).abs().mean()
    return sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in held) / 2**20


def inputs(network: BaseModel, items: int, seconds: float) -> tuple[Tensor, Tensor]:
    """Mixtures (items, 1, T) and unit conditions (items, D) on the network's device."""
    device = next(network.parameters()).device
    mixture = 0.1 * torch.randn(items, 1, round(seconds * network.config.sample_rate))
    condition = nn.functional.normalize(torch.randn(items, network.config.condition_size), dim=-1)
    return mixture.to(device), condition.to(device)


def training_step(network: BaseModel, batch: int, repeats: int) -> dict[str, float]:
    """A step of adapter training: one convolution a layer over frozen norms, against two over moving norms."""
    mixture, condition = inputs(network, batch, 2.0)
    adapter = perturbed(network)
    two = plain(network, adapter).train()

    def step(model: nn.Module) -> Callable[[], object]:
        return lambda: model(mixture, condition).abs().mean().backward()

    with adapted(network, adapter.layers):
        ours = fastest(step(network), repeats)
        our_peak, our_kept = peak_memory(step(network), mixture.device), kept_for_gradient(network, mixture, condition)
    with published_steps():
        theirs = fastest(step(two), repeats)
        their_peak, their_kept = peak_memory(step(two), mixture.device), kept_for_gradient(two, mixture, condition)
    return {
        "plain_s": theirs,
        "ours_s": ours,
        "time_of_plain": ours / theirs,
        "plain_peak_mib": their_peak,
        "ours_peak_mib": our_peak,
        "peak_of_plain": our_peak / their_peak,
        "plain_kept_mib": their_kept,
        "ours_kept_mib": our_kept,
        "kept_of_plain": our_kept / their_kept,
    }


def training_loop(
    network: BaseModel, embed: Callable[[], object], batch: int, steps: int, device: torch.device
) -> dict[str, float]:
    """Mixtures a second of the whole loop, second epoch of two, against the plain procedure.

    The plain one reads whole files and embeds each caption in the step, and has two convolutions a layer. ``embed`` is
    what it does for an item's caption.
    """
    adapter = perturbed(network)
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        rows = []
        for number in range(batch * steps):
            kind = ("rain", "dog_bark", "siren", "flute")[number % 4]
            rows.append(Row(Path(name) / f"{number}.flac", kind, id=str(number)))
            write_audio(rows[-1].wav, render(kind, 4000 + number % 8, 10.0, 44100)[None], 44100, "PCM_16")
        sources = [Source(row, frozenset({row.caption}), (0,)) for row in rows]
        table = nn.functional.normalize(torch.randn(1, network.config.condition_size), dim=-1)
        samples = TrainingSamples(sources, {0: sources}, table, DataSettings(), 0)
        two = plain(network, adapter).train().requires_grad_(False)
        learnt = [
            p for module in two.modules() if isinstance(module, TwoConvolutions) for p in module.beside.parameters()
        ]
        optimizer = torch.optim.AdamW([p.requires_grad_() for p in learnt], 1e-6, amsgrad=True)

        def whole(row: Row) -> Tensor:
            audio, rate = soundfile.read(row.wav, dtype="float32")
            return torchaudio.functional.resample(torch.from_numpy(audio), rate, network.config.sample_rate)[
                20000:84000
            ]

        def step(first: int) -> None:
            targets = torch.stack([whole(row) for row in rows[first : first + batch]])
            for _ in range(batch):
                embed()
            mixture = (targets + targets.roll(1, 0)).to(device)
            condition = table.expand(batch, -1).to(device)
            loss = (two(mixture[:, None], condition)[:, 0] - targets.to(device)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learnt, 1.0)
            optimizer.step()
            loss.item()

        with published_steps():
            step(0)
            began = time.perf_counter()
            for number in range(steps):
                step(number * batch)
            result["plain_items_per_s"] = batch * steps / (time.perf_counter() - began)
        for precision in ("32-true", "bf16-mixed"):
            settings = TrainSettings(
                OptimizerSettings(learning_rate=1e-6),
                batch_size_per_device=batch,
                max_epochs=2,
                precision=precision,
                examples=0,
            )
            hardware = Hardware("gpu" if device.type == "cuda" else "cpu")
            with adapted(network, adapter.layers), utilisation(device) as used:
                job = Job("run", network, samples, ValidationMixtures({}, {}, 32000), lambda which, reached: None)
                done = train_network(job, settings, hardware, Path(name) / precision, False, lambda *told: None)
            network.to(device)
            result |= {
                f"ours_{precision}_items_per_s": done.items_per_s,
                f"ours_{precision}_of_plain": done.items_per_s / result["plain_items_per_s"],
                f"ours_{precision}_loader_wait": done.loader_wait,
            }
            if used:
                result[f"ours_{precision}_gpu_utilisation"] = sum(used) / len(used)
    return result


@contextlib.contextmanager
def utilisation(device: torch.device) -> Iterator[list[float]]:
    """Percent of time that a GPU computes, asked for twice a second; empty where nobody can tell."""
    used: list[float] = []
    if device.type != "cuda" or importlib.util.find_spec("pynvml") is None:
        yield used
        return
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.5):
            used.append(float(torch.cuda.utilization(device)))

    thread = threading.Thread(target=ask)
    thread.start()
    yield used
    ended.set()
    thread.join()


@torch.inference_mode()
def seven_adapters(network: BaseModel, items: int, repeats: int) -> dict[str, float]:
    """Every adapter on some mixtures: one base and deltas, in batch, against seven unmerged models item by item."""
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

    slow, quick = (fastest(work, repeats) for work in (theirs, ours))
    return {"plain_s": slow, "ours_s": quick, "time_of_plain": quick / slow}


@torch.inference_mode()
def switching(network: BaseModel, repeats: int) -> dict[str, float]:
    """Switching among seven adapters of each method, as a share of one forward of 10 s."""
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
    """MiB of a bank of seven reconv adapters, switched through, against seven whole models; in tensors held."""

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
    """MB on disk of a base and seven adapters by method, against seven published files (whole wrapped models)."""

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


def clap(device: torch.device) -> LaionEncoder:
    """LAION's CLAP in its published size with random weights: as fast as any."""
    network = build_clap("base", False).to_empty(device="cpu")
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.01, 0.03)
        else:
            tensor.data.zero_()
    # The windows of attention are made of indices; without them the tower would read elsewhere.
    settle_buffers(network)
    return LaionEncoder(LaionConfig(), network, None, device)  # type: ignore[arg-type]


@torch.inference_mode()
def embedding(encoder: LaionEncoder, clips: int, repeats: int) -> dict[str, float]:
    """Audio embeddings of files: ``embed`` against one clip at a time with features on the CPU, made anew a clip."""
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"{number}.flac" for number in range(clips)]
        for number, file in enumerate(files):
            write_audio(file, render("rain", 3000 + number, 10.0, 44100)[None], 44100, "PCM_16")

        def plain_procedure() -> None:
            for file in files:
                samples, rate = soundfile.read(file, dtype="float32")
                heard = torchaudio.functional.resample(torch.from_numpy(samples), rate, 48000)
                heard = (heard.clamp(-1, 1) * 32767).to(torch.int16).float() / 32767
                mel = LogMel(False)(heard[None, :480000])  # on the CPU, its filters made anew
                encoder._log_mel.forward, kept = lambda _, mel=mel: mel.to(encoder._device), encoder._log_mel.forward
                encoder._embed_windows(heard[None])
                encoder._log_mel.forward = kept

        ours = fastest(lambda: list(embed_clips([Clip(file, 0.0, None) for file in files], encoder)), repeats)
        theirs = fastest(plain_procedure, repeats)
        with_cache = EmbeddingCache(Path(name) / "cache", encoder)
        found = [Clip(file, 0.0, None) for file in files]
        list(embed_clips(found, encoder, with_cache))
        with_cache.refresh()
        again = fastest(lambda: list(embed_clips(found, encoder, with_cache)), repeats)
    return {
        "plain_clips_per_s": clips / theirs,
        "ours_clips_per_s": clips / ours,
        "time_of_plain": ours / theirs,
        "cached_time_of_plain": again / theirs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmark.json"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--training-loop", action="store_true", help="measure the training loop alone")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    torch.manual_seed(0)
    tiny_encoder = TinyEncoder().eval()
    results: dict[str, Any] = {
        "machine": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    full = BaseModel(ResUNet30Config()).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    sizes = {"tiny": (load_base("tiny"), 4, 8), "full width": (full, 20 if device.type == "cuda" else 2, 1)}
    results |= {name: {} for name in sizes}
    published = clap(device)
    tokens = pad([list(range(5, 21))])
    captions: dict[str, Callable[[], object]] = {
        "tiny": lambda: tiny_encoder.text(["rain on a roof"]),
        "full width": lambda: published._embed_tokens(tokens),
    }
    for name, (network, batch, _) in sizes.items():
        network = network.to(device)
        steps = 10 if name == "tiny" or device.type == "cuda" else 3
        results[name]["training_loop"] = training_loop(network, captions[name], batch, steps, device)
    if not arguments.training_loop:
        for name, (network, batch, items) in sizes.items():
            network = network.to(device)
            results[name] |= {
                "training_step": training_step(network, batch, arguments.repeats),
                "seven_adapters": seven_adapters(network, items, arguments.repeats),
                "switching": switching(network, arguments.repeats),
                "held": held(network),
            }
        results["disk, full width"] = disk(full.cpu())
        results["embedding"] = embedding(published, 64 if device.type == "cuda" else 8, arguments.repeats)
    write_text(arguments.output, json_text(results) + "\n")
    print(json_text(results))


if __name__ == "__main__":
    main()
