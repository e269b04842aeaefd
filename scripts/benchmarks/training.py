"""Throughput of the training loop."""

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

from benchmarks.measuring import TwoConvolutions, perturbed, plain, precisions, published_steps
from dplass_cli.adapters import adapted
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.ontology import kinds_of
from dplass_cli.data.samples import SourceClip, TrainingSamples
from dplass_cli.models import BaseModel
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.sounds import render
from dplass_cli.storage import no_progress
from dplass_cli.training.corpus import ValidationMixtures
from dplass_cli.training.job import TrainingJob
from dplass_cli.training.trainer import JobTrainer


def training_loop(
    network: BaseModel, embed: Callable[[], object], batch: int, steps: int, device: torch.device
) -> dict[str, float]:
    """Mixtures per second of the whole loop in its second epoch, against the published procedure.

    That procedure reads whole files, embeds each caption within the step, and runs two convolutions per layer.

    Args:
        network: the base.
        embed: embeds one item's caption, for the published procedure.
        batch: mixtures per step.
        steps: steps per epoch.
        device: that trains.
    """
    adapter = perturbed(network)
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        rows = []
        for number in range(batch * steps):
            kind = ("rain", "dog_bark", "siren", "flute")[number % 4]
            rows.append(Row(Path(name) / f"{number}.flac", kind, id=str(number)))
            write_audio(rows[-1].wav, render(kind, 4000 + number % 8, 10.0, 44100)[None], 44100, "PCM_16")
        sources = [SourceClip(row, kinds_of([row.caption]), (0,)) for row in rows]
        table = nn.functional.normalize(torch.randn(1, network.config.condition_size), dim=-1)
        samples = TrainingSamples(sources, {0: sources}, table, DataSettings(), 0)
        two = plain(network, adapter).train().requires_grad_(False)
        trained = [
            p for module in two.modules() if isinstance(module, TwoConvolutions) for p in module.adapted.parameters()
        ]
        optimizer = torch.optim.AdamW([p.requires_grad_() for p in trained], 1e-6, amsgrad=True)

        def whole(row: Row) -> Tensor:
            audio, rate = soundfile.read(row.wav, dtype="float32")
            resampled: Tensor = torchaudio.functional.resample(
                torch.from_numpy(audio), rate, network.config.sample_rate
            )
            return resampled[20000:84000]

        def step(first: int) -> None:
            targets = torch.stack([whole(row) for row in rows[first : first + batch]])
            for _ in range(batch):
                embed()
            mixture = (targets + targets.roll(1, 0)).to(device)
            condition = table.expand(batch, -1).to(device)
            loss = (two(mixture[:, None], condition)[:, 0] - targets.to(device)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            loss.item()

        with published_steps():
            step(0)
            began = time.perf_counter()
            for number in range(steps):
                step(number * batch)
            result["plain_items_per_s"] = batch * steps / (time.perf_counter() - began)
        for precision in precisions(device):
            settings = TrainSettings(
                OptimizerSettings(learning_rate=1e-6),
                batch_size_per_device=batch,
                max_epochs=2,
                precision=precision,
                examples=0,
            )
            options = TrainOptions(
                partition=Path(name), workspace=Path(name) / precision, train=settings, device=device.type
            )
            with adapted(network, adapter.layers), utilisation(device) as used:
                no_validation = ValidationMixtures({}, {}, 32000)
                job = TrainingJob("run", network, samples, no_validation, lambda which, trained: None)
                done = JobTrainer(job, options, no_progress).fit(resume=False)
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
    """Percentage of time that a GPU is busy, sampled twice per second; empty without a GPU or ``pynvml``."""
    used: list[float] = []
    if device.type != "cuda" or importlib.util.find_spec("pynvml") is None:
        yield used
        return
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.5):
            used.append(float(torch.cuda.utilization(device)))

    thread = threading.Thread(target=sample)
    thread.start()
    yield used
    ended.set()
    thread.join()
