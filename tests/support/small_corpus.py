"""A small base, corpus and partition of built-in sounds, and options to train on them in seconds."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.encoders import load_encoder
from dplass_cli.models import save_base
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.partition import partition
from dplass_cli.sounds import render

KINDS = {"dog_bark": "Bark", "rain": "Rain", "siren": "Siren", "flute": "Flute", "owl_hoot": "Hoot", "typing": "Typing"}
SMALL = ResUNet30Config(
    condition_size=128,
    n_fft=512,
    hop=320,
    pre_channels=4,
    channels=(4, 8),
    downsample=((2, 2), (2, 2)),
    input_power=0.3,
)


def build(folder: Path) -> Path:
    """Write a base, a partition of six captions into three domains, and a table of mixtures."""
    torch.manual_seed(0)
    save_base(folder / "base.safetensors", ResUNet30(SMALL), load_encoder().fingerprint)
    rows = []
    for name, caption in KINDS.items():
        for seed in range(3):
            path = folder / f"{name}{seed}.wav"
            write_audio(path, render(name, 5000 + seed, 2.5, 32000)[None], 32000, "PCM_16")
            rows.append(Row(path, caption, id=path.stem))
    write_manifest(folder / "train.json", rows)
    partition(PartitionOptions(folder / "train.json", folder / "partition", domains=3, val_mixtures=2))
    pairs = zip(rows, rows[4:] + rows[:4], strict=True)
    write_mixtures(folder / "mixtures.csv", [Mixture(source, noise) for source, noise in pairs][:8])
    return folder


def options(corpus: Path, workspace: Path, epochs: int = 2) -> TrainOptions:
    """Options of a short run."""
    return TrainOptions(
        partition=corpus / "partition",
        workspace=workspace,
        base_checkpoint=str(corpus / "base.safetensors"),
        encoder="tiny",
        train=TrainSettings(
            OptimizerSettings(learning_rate=1e-2), batch_size_per_device=2, num_workers=0, max_epochs=epochs
        ),
        device="cpu",
    )


def same_adapter(run: Path, uninterrupted: Path, bank: str = "bank") -> None:
    """Assert that the adapters of domain 1 are equal."""
    states = [load_file(folder / bank / "domain1" / "adapter.safetensors") for folder in (run, uninterrupted)]
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=1e-6, atol=1e-8)


def train_steps(corpus: Path) -> int:
    """Steps per epoch of domain 1."""
    rows = json.loads((corpus / "partition" / "domain1.json").read_text())["data"]
    return -(-len(rows) // 2)


def losses(workspace: Path, run: str) -> list[dict[str, Any]]:
    """A job's rows of ``metrics.csv``, without timings."""
    with open(workspace / "metrics.csv", newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["run"] == run]
    return [
        {key: float(row[key]) for key in ("epoch", "step", "train_loss", "val_sdri", "learning_rate")} for row in rows
    ]
