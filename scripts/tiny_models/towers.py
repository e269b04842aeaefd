"""The two towers of the encoder: text, distilled from a sentence encoder, and audio, trained to the same anchors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders import TinyEncoderConfig
from dplass_cli.encoders.tiny import AudioTower, TextTower
from dplass_cli.training.contrastive.spectrogram_augmentation import (
    INTERFERENCE_DB,
    add,
    augmented,
    loudest_crop,
    mel_energy,
)
from tiny_models.clips import RATE, Sound, by_kind
from tiny_models.kinds import Carriers, Kind, made_up

_SENTENCES = 512  # per step
_PARTS = (0.55, 0.17, 0.16, 0.12)  # of a batch: wordings of kinds, single words, phrases, made-up words
_FURTHER = 0.6  # share of the further wordings among wordings of kinds
_MADE_UP = (0, 0, 0, 1, 2)  # made-up words put into a sentence
_CLIPS = 64  # per step
_SECONDS = (1.5, 5.0)
_BUILT_IN = 0.15  # share of built-in sounds in kinds that have clips


def fit_text(
    config: TinyEncoderConfig,
    anchors: Tensor,
    kinds: Sequence[Kind],
    carriers: Carriers,
    read: Mapping[str, Tensor],
    words: Sequence[str],
    phrases: Sequence[str],
    steps: int,
) -> TextTower:
    """Train the text tower to give the teacher's probabilities of the kinds, whatever words surround a description.

    Args:
        anchors: float32 (K, D), the points of the kinds.
        read: {text: the teacher's probabilities, float32 (K,)} of all words and phrases.
        words: single words.
        phrases: phrases of known and other words.
        steps: of _SENTENCES sentences each.
    """
    torch.manual_seed(1)
    rng = random.Random(1)
    tower = TextTower(config)
    tower.anchors.copy_(anchors)
    optimizer = torch.optim.AdamW(tower.parameters(), weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.1)
    count = len(kinds)
    uniform = torch.full((count,), 1.0 / count)
    known = torch.eye(count) * 0.97 + 0.03 / count
    for step in range(steps):
        sentences, targets = [], []
        for part in rng.choices(range(4), _PARTS, k=_SENTENCES):
            if part == 0:
                number = rng.randrange(count)
                kind = kinds[number]
                pool = kind.further if kind.further and rng.random() < _FURTHER else kind.wordings
                text, target = carriers.around(rng.choice(pool), rng), known[number]
            elif part == 1:
                word = rng.choice(words)
                text, target = carriers.around(word, rng, 0.2), read[word]
            elif part == 2:
                text = rng.choice(phrases)
                target = read[text]
            else:
                text = carriers.around(" ".join(made_up(rng) for _ in range(rng.randint(1, 4))), rng, 0.4)
                target = uniform
            split = text.split()
            for _ in range(rng.choice(_MADE_UP) if part == 0 else 0):
                split.insert(rng.randint(0, len(split)), made_up(rng))
            sentences.append(" ".join(split))
            targets.append(target)
        loss = F.cross_entropy(tower.logits(sentences), torch.stack(targets))
        _step(loss, optimizer, schedule)
        if step % 200 == 0:
            print(f"text tower: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    return tower


def fit_audio(
    config: TinyEncoderConfig,
    anchors: Tensor,
    training_sounds: Sequence[Sound],
    related: Tensor,
    steps: int,
    checkpoint: Path,
    every: int = 100,
    decay: float = 0.998,
) -> AudioTower:
    """Train the audio tower to embed sounds at the anchors of their kinds; returns the moving average of the weights.

    Sounds are augmented as in ``dplass train --what encoder``; here the kinds take the place of captions, and their
    anchors are given. A stopped run resumes from its checkpoint, with the result of an uninterrupted one.

    Args:
        related: float32 (K, K), how a sound of each kind counts: rows sum to 1, most of it for its own kind.
        checkpoint: file of what a stopped run needs.
        every: steps between two checkpoints.
        decay: of the moving average, per step.
    """
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    tower = AudioTower(config)
    waveforms = (torch.from_numpy(read_mono(sound.wav, RATE)) for sound in training_sounds)
    spectrograms = [mel_energy(tower, audio, config.hop) for audio in waveforms]
    clips = {
        kind: ([n for n in numbers if training_sounds[n].real], [n for n in numbers if not training_sounds[n].real])
        for kind, numbers in by_kind(training_sounds).items()
    }
    place = {kind: number for number, kind in enumerate(config.kinds)}
    tower = tower.to(memory_format=torch.channels_last).train()
    mean = AveragedModel(tower, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    optimizer = torch.optim.AdamW(tower.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    parts = {"tower": tower, "mean": mean, "optimizer": optimizer, "schedule": schedule}
    for step in range(_resumed(checkpoint, parts, rng), steps):
        if step % every == 0:
            _save(checkpoint, step, parts, rng)
        frames = int(rng.uniform(*_SECONDS) * RATE / config.hop)
        spectra, targets = [], []
        for kind in rng.choice(list(clips), _CLIPS):
            real, built_in = clips[str(kind)]
            pool = built_in if built_in and (not real or rng.random() < _BUILT_IN) else real
            scene = loudest_crop(spectrograms[rng.choice(pool)], frames, rng)
            other = loudest_crop(spectrograms[rng.integers(len(spectrograms))], frames, rng)
            spectra.append(augmented(add(scene, other, rng.uniform(*INTERFERENCE_DB)), rng, config))
            targets.append(related[place[str(kind)]])
        images = torch.stack(spectra)[:, None].contiguous(memory_format=torch.channels_last)
        points = tower.embed(images)
        loss = F.cross_entropy(config.sharpness * points @ anchors.T, torch.stack(targets), label_smoothing=0.05)
        _step(loss, optimizer, schedule)
        mean.update_parameters(tower)
        if step % 100 == 0:
            print(f"audio tower: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    averaged = mean.module
    assert isinstance(averaged, AudioTower)
    return averaged.to(memory_format=torch.contiguous_format)


def _save(checkpoint: Path, step: int, parts: Mapping[str, Any], rng: np.random.Generator) -> None:
    """Write all that a training needs to go on at a step; whoever reads the file finds a complete one."""
    state = {name: part.state_dict() for name, part in parts.items()}
    draws = {"numpy": rng.bit_generator.state, "torch": torch.get_rng_state()}
    torch.save({"step": step, **state, **draws}, checkpoint.with_suffix(".new"))
    checkpoint.with_suffix(".new").replace(checkpoint)


def _resumed(checkpoint: Path, parts: Mapping[str, Any], rng: np.random.Generator) -> int:
    """Restore a training from its checkpoint, if there is one, and return the step that comes next."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    rng.bit_generator.state = saved["numpy"]
    torch.set_rng_state(saved["torch"])
    return int(saved["step"])


def _step(loss: Tensor, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
