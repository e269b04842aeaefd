"""The space of the encoder: anchors of the kinds of sound, found by contrastive training of both towers.

Kinds that sound alike end up near each other, since the audio tower cannot distinguish them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.devices import choose_device
from dplass_cli.encoders.tiny import TinyEncoder
from tiny_models.clips import RATE, Sound
from tiny_models.wordings import Wordings

_BATCH = 48
_LEARNING_RATE = 2e-3
_SECONDS = (1.5, 4.0)
_INTERFERENCE_DB = (-40.0, -6.0)


def find_anchors(training_sounds: Sequence[Sound], wordings: Wordings, steps: int) -> dict[str, Tensor]:
    """{AudioSet label: its anchor, float32 (D,), unit norm}: the mean embedding of its wordings."""
    torch.manual_seed(1)
    chooser = random.Random(1)
    rng = np.random.default_rng(1)
    audio = [read_mono(sound.wav, RATE) for sound in training_sounds]
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, sound in enumerate(training_sounds):
        by_label[sound.label].append(number)
    real = {sound.label for sound in training_sounds if sound.real}
    labels = sorted(by_label)
    weights = [2.0 if label in real else 1.0 for label in labels]
    device = choose_device("auto")
    encoder = TinyEncoder().to(device)
    encoder.audio.to(memory_format=torch.channels_last)
    scale = torch.nn.Parameter(torch.tensor(2.3, device=device))
    optimizer = torch.optim.AdamW([*encoder.parameters(), scale], lr=_LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        length = int(rng.uniform(*_SECONDS) * RATE)
        chosen = chooser.choices(labels, weights, k=_BATCH)
        clips = torch.stack([_crop(audio[chooser.choice(by_label[label])], length, rng) for label in chosen])
        # Quieter interference, so that the tower learns to embed the loudest sound.
        others = torch.stack([_crop(audio[rng.integers(len(audio))], length, rng) for _ in chosen])
        ratio = _rms(clips) / _rms(others).clamp(min=1e-4)
        level = torch.from_numpy(10 ** (rng.uniform(*_INTERFERENCE_DB, (_BATCH, 1)) / 20)).float()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            audio_points = encoder.audio((clips + others * ratio.clamp(max=1e3) * level).to(device)).float()
        text_points = encoder.text([chooser.choice(wordings.sentences[label]) for label in chosen])
        same = torch.tensor([[float(a == b) for b in chosen] for a in chosen], device=device)
        loss = torch.stack(
            [
                F.cross_entropy(scale.exp() * a @ b.T, same / same.sum(dim=1, keepdim=True))
                for a, b in (
                    (audio_points, text_points),
                    (text_points, audio_points),
                    (text_points, text_points),
                    (audio_points, audio_points),
                )
            ]
        ).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"space: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    encoder.eval()
    return {
        label: F.normalize(encoder.embed_text(wordings.sentences[label]).mean(dim=0), dim=0)
        for label in wordings.sentences
    }


def _rms(waveforms: Tensor) -> Tensor:
    return waveforms.square().mean(dim=1, keepdim=True).sqrt()


def _crop(clip: np.ndarray, length: int, rng: np.random.Generator) -> Tensor:
    """The loudest of three random crops, padded with zeros at the end."""
    crops = [clip[start : start + length] for start in rng.integers(0, max(1, len(clip) - length + 1), 3)]
    return torch.from_numpy(fit_length(max(crops, key=lambda crop: float(np.square(crop).sum())), length))
