"""A training of a network of a few hundred weights on four tones at 8 kHz, done within a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from small_networks import fresh, small_network

from dplass_cli.adapters.base import Adapter
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture
from dplass_cli.models import BaseModel
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.storage import no_progress
from dplass_cli.training.callbacks.epoch_reporter import EpochReport, no_report
from dplass_cli.training.corpus import TrainingCorpus
from dplass_cli.training.job import TrainingJob, Which
from dplass_cli.training.train_result import Trained
from dplass_cli.training.trainer import JobTrainer

RATE = 8000
DATA = DataSettings(sampling_rate=RATE, segment_seconds=0.25)


def settings(epochs: int = 2, **more: object) -> TrainSettings:
    """Two steps per epoch."""
    return TrainSettings(
        OptimizerSettings(learning_rate=1e-2),
        batch_size_per_device=2,
        num_workers=0,
        max_epochs=epochs,
        **more,  # type: ignore[arg-type]
    )


def corpus(folder: Path, validation: int = 2, data: DataSettings = DATA) -> TrainingCorpus:
    """Two domains of four tones each, every tone with its own caption."""
    rows: dict[int, list[Row]] = {0: [], 1: []}
    for domain, clips in rows.items():
        for number in range(4):
            path = folder / f"{domain}{number}.wav"
            tone = 0.3 * np.sin(np.arange(RATE // 2) * (0.05 + 0.2 * domain + 0.03 * number))
            write_audio(path, tone[None].astype(np.float32), RATE, "FLOAT")
            clips.append(Row(path, f"tone {domain}{number}", id=path.stem))
    mixtures = {
        domain: [Mixture(clips[number], rows[1 - domain][number]) for number in range(validation)]
        for domain, clips in rows.items()
    }
    captions = [row.caption for clips in rows.values() for row in clips]
    table = torch.nn.functional.normalize(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    return TrainingCorpus(rows, mixtures, table, {caption: n for n, caption in enumerate(captions)}, data, seed=42)


def adapters_on(network: BaseModel) -> dict[str, Adapter]:
    """Fresh trainable adapters, attached to a network."""
    network.requires_grad_(False)
    adapters = fresh(network, AdapterSettings())
    for path, adapter in adapters.items():
        adapter.attach(network.get_submodule(path))  # type: ignore[arg-type]
    return adapters


def job(
    folder: Path,
    export: Callable[[Which, Trained], None] = lambda which, trained: None,
    validation: int = 2,
    network: BaseModel | None = None,
) -> TrainingJob:
    """Adapters of domain 0 over a small base."""
    if network is None:
        network = small_network()
        adapters_on(network)
    data = corpus(folder / "audio", validation)
    return TrainingJob("domain0", network, data.samples([0]), data.validation([0]), export)


def trainer(
    job: TrainingJob,
    workspace: Path,
    settings: TrainSettings,
    progress: Callable[[int, int, str], None] = no_progress,
    report: EpochReport = no_report,
) -> JobTrainer:
    """A trainer on the CPU."""
    options = TrainOptions(partition=workspace, workspace=workspace, train=settings, device="cpu")
    return JobTrainer(job, options, progress, report)
