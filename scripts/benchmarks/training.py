"""The whole training loop."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile
import torch
import torchaudio
from torch import Tensor, nn

from benchmarks.measuring import TwoConvolutions, perturbed, plain, published_steps
from dplass_cli.adapters import adapted
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.data_settings import DataSettings
from dplass_cli.data.manifest import Row
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.models import BaseModel
from dplass_cli.sounds import render
from dplass_cli.training.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.training.trainer import Hardware, TrainingJob, ValidationMixtures, train_network


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
        sources = [SourceClip(row, frozenset({row.caption}), (0,)) for row in rows]
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
                job = TrainingJob(
                    "run", network, samples, ValidationMixtures({}, {}, 32000), lambda which, reached: None
                )
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
