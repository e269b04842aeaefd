"""Measure speed and memory as ratios against the published procedure, in one run; writes JSON and a Markdown table.

    python scripts/benchmark.py [--output benchmark.json] [--repeats 3] [--device auto] [--only SECTION …]
    python scripts/benchmark.py --device cuda --minutes 9

The published procedure ("plain" in the names of the figures) runs two convolutions per adapted layer and seven whole
models, one item at a time, and transforms the mixture for each model. ``…_of_plain`` is this package's figure divided
by that of the published procedure. Nothing is asserted. Results are written after every section, so a run that is
stopped keeps what it has measured; with --minutes, no section starts after that time, and on a GPU those that need one
come first.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import measuring
from benchmarks.adapters import disk, held, seven_adapters, switching, training_step
from benchmarks.corpora import partitioning, preparing
from benchmarks.embedding import clap, embedding
from benchmarks.evaluating import evaluation
from benchmarks.gpu import lengths, throughput
from benchmarks.long_files import long_files
from benchmarks.profiling import parts
from benchmarks.separating import one_core, separation
from benchmarks.sharded import sharded
from benchmarks.starting import starting
from benchmarks.training import training_loop
from dplass_cli import load_base, load_encoder
from dplass_cli.devices import choose_device
from dplass_cli.encoders.laion_text import pad
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, ResUNet30, in_fast_order
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.separator import Separator
from dplass_cli.storage import json_text, write_text

_AUDIOSET, _MILLIONS = 2_084_320, 2_000_000


def network(size: str, device: torch.device, condition_size: int = 512) -> BaseModel:
    """The tiny base, or one of the published width with random weights."""
    wide = ResUNet30Config(condition_size=condition_size)
    model = load_base("tiny") if size == "tiny" else ResUNet30(wide).eval().requires_grad_(False)
    return in_fast_order(model).to(device)


def sections(device: torch.device, repeats: int, clips: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """{name: measurement}; models are created when a measurement is called."""
    gpu = device.type == "cuda"
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    if gpu:
        found["gpu: separating"] = partial(by_length, device, repeats)
        found["gpu: throughput"] = lambda: throughput(
            network("full width", device), (1, 4, 16, 64), measuring.SECONDS, repeats
        )
    for size, batch, items in (("tiny", 4, 8), ("full width", 20 if gpu else 2, 1)):
        found |= by_size(size, device, repeats, batch, items)
    return found | {
        "separating, full width": partial(separate, device, repeats),
        "separating, tiny on one core": partial(separate_on_one_core, repeats),
        "parts of separating, tiny": separation_parts,
        "long files, tiny": partial(bundled_by_length, repeats),
        "long files, full width": partial(full_width_by_length, device, repeats),
        "disk, full width": lambda: disk(network("full width", torch.device("cpu"))),
        "embedding": lambda: embedding(clap(device), 64 if gpu else 8, repeats),
        "preparing": lambda: preparing(_AUDIOSET),
        "partitioning": lambda: partitioning(_MILLIONS),
        "shards": lambda: sharded(clips),
        "starting": partial(starting, repeats),
    }


def by_size(
    size: str, device: torch.device, repeats: int, batch: int, items: int
) -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements that are made of networks of both sizes."""

    def made() -> BaseModel:
        return network(size, device)

    return {
        f"training_step, {size}": lambda: training_step(made(), batch, repeats),
        f"training_step of lora, {size}": lambda: training_step(made(), batch, repeats, "lora"),
        f"seven_adapters, {size}": lambda: seven_adapters(made(), items, repeats),
        f"switching, {size}": lambda: switching(made(), repeats),
        f"held, {size}": lambda: held(made()),
        f"training_loop, {size}": partial(loop, size, batch, device),
        f"evaluation, {size}": partial(evaluate, size, device, repeats),
    }


def loop(size: str, batch: int, device: torch.device) -> dict[str, Any]:
    """The training loop; the published one embeds each caption with the encoder of that size."""
    if size == "tiny":
        encoder = load_encoder("tiny", device=device)
        embed = partial(encoder.embed_text, ["rain on a roof"])
    else:
        tokens = pad([list(range(5, 21))])
        embed = partial(clap(device)._embed_tokens, tokens)
    steps = 10 if size == "tiny" or device.type == "cuda" else 3
    return training_loop(network(size, device), embed, batch, steps, device)


def evaluate(size: str, device: torch.device, repeats: int) -> dict[str, Any]:
    """An evaluation of items of 10 s, as most benchmarks have, with the tiny encoder."""
    encoder = load_encoder("tiny", device=device)
    items = 2 if device.type == "cpu" else 64
    return evaluation(network(size, device, encoder.size), encoder, items, 10.0, repeats)


def separate(device: torch.device, repeats: int) -> dict[str, Any]:
    """10 seconds and 5 minutes, with the tiny encoder."""
    encoder = load_encoder("tiny", device=device)
    return separation(network("full width", device, encoder.size), encoder, 10.0, 300.0, repeats)


def by_length(device: torch.device, repeats: int) -> dict[str, Any]:
    """10 seconds, 5 minutes and an hour, with the tiny encoder."""
    encoder = load_encoder("tiny", device=device)
    return lengths(network("full width", device, encoder.size), encoder, (10.0, 300.0, 3600.0), repeats)


def bundled() -> dict[str, Separator]:
    """The bundled models in float32: the base alone, and the default."""
    default = Separator.from_pretrained(device="cpu", backend="torch", precision="32-true")
    base = Separator(default.bank, default.encoder, make_policy("base"), precision="32-true")
    return {"base": base, "default": default}


def bundled_by_length(repeats: int) -> dict[str, Any]:
    """10 and 30 seconds and 5 minutes, by the bundled models."""
    return long_files(bundled(), (10.0, 30.0, 300.0), repeats)


def separation_parts() -> dict[str, Any]:
    """A minute, by the bundled models with the default policy."""
    return parts(bundled()["default"], 60.0)


def full_width_by_length(device: torch.device, repeats: int) -> dict[str, Any]:
    """10 and 30 seconds, with the tiny encoder."""
    encoder = load_encoder("tiny", device=device)
    bank = AdapterBank(network("full width", device, encoder.size))
    separator = Separator(bank, encoder, make_policy("base"), precision="32-true")
    return long_files({"base": separator}, (10.0, 30.0), repeats)


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    lines = [f"{name}: {value}  " for name, value in results.items() if not isinstance(value, dict)]
    lines += ["", "| section | figure | value |", "|---|---|---:|"]
    for section, figures in results.items():
        if isinstance(figures, dict):
            lines += [f"| {section} | {name} | {value:.4g} |" for name, value in figures.items()]
    return "\n".join(lines) + "\n"


def separate_on_one_core(repeats: int) -> dict[str, Any]:
    """A minute, by the bundled models."""
    return one_core(bundled(), 60.0, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmark.json"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no section after this time")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: for machines that run other work"
    )
    parser.add_argument("--clips", type=int, default=20_000, help="of the section shards")
    parser.add_argument("--only", nargs="*", default=[], help="sections whose names start with one of these")
    arguments = parser.parse_args()
    try:
        device = choose_device(arguments.device)
    except InputError as error:
        parser.error(str(error))
    measuring.clock = arguments.clock
    torch.manual_seed(0)
    results: dict[str, Any] = {
        "machine": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "clock": arguments.clock,
        "torch": torch.__version__,
    }
    ends = time.monotonic() + 60 * arguments.minutes
    for name, measure in sections(device, arguments.repeats, arguments.clips).items():
        if arguments.only and not name.startswith(tuple(arguments.only)):
            continue
        if time.monotonic() > ends:
            print(f"{name}: not measured, {arguments.minutes:g} minutes are over", flush=True)
            continue
        results[name] = measure()
        print(json_text({name: results[name]}), flush=True)
        write_text(arguments.output, json_text(results) + "\n")
        write_text(arguments.output.with_suffix(".md"), table(results))


if __name__ == "__main__":
    main()
