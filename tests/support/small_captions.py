"""Eight short clips with five captions each, and options to train an encoder of a few hundred weights on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.options.encoder_settings import ContrastiveSettings, TinyEncoderConfig
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.sounds import render

RATE = 16000
KINDS = {"dog_bark": "dog", "rain": "rain", "siren": "siren", "flute": "flute"}
SENTENCES = ("a {}", "the sound of a {}", "{}", "one hears a {}", "{} recorded")
TOWERS = TinyEncoderConfig(
    size=8, buckets=64, word_size=8, hidden=8, sample_rate=RATE, n_fft=256, hop=160, mels=16, widths=(4, 8)
)


def write_clips(folder: Path) -> Path:
    """Write two clips of each kind and their manifest, with a row for each caption."""
    rows = []
    for name, word in KINDS.items():
        for seed in range(2):
            path = folder / f"{name}{seed}.wav"
            write_audio(path, render(name, seed, 0.6, RATE)[None], RATE, "PCM_16")
            rows += [Row(path, f"{sentence.format(word)} {seed}", id=path.stem) for sentence in SENTENCES]
    write_manifest(folder / "captions.json", rows)
    return folder / "captions.json"


def encoder_options(manifest: Path, workspace: Path, epochs: int = 2, **contrastive: Any) -> TrainOptions:
    """Options of a short run that validates on its training clips, two steps per epoch."""
    settings = ContrastiveSettings(segment_seconds=0.3, validation=manifest)
    return TrainOptions(
        partition=manifest,
        workspace=workspace,
        what="encoder",
        towers=TOWERS,
        contrastive=replace(settings, **contrastive),
        train=TrainSettings(
            OptimizerSettings(learning_rate=1e-2), batch_size_per_device=4, num_workers=0, max_epochs=epochs
        ),
        device="cpu",
    )
