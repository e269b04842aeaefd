"""Fitting both towers of the encoder to the anchors of its space."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders.tiny import AudioTower, TextTower, TinyEncoderConfig
from tiny_models.clips import RATE, Sound
from tiny_models.wordings import Wordings

_SENTENCES = 256  # per step
_NONSENSE = 0.15  # share of sentences without a meaning
_CLIPS = 64  # per step
_REAL_WEIGHT = 4.0
_SECONDS = (1.5, 5.0)
_INTERFERENCE_DB = (-40.0, -3.0)
_INSTRUMENTS = (
    "Acoustic guitar", "Bass drum", "Choir", "Drum roll", "Electric guitar", "Flute", "Hi-hat", "Marimba, xylophone",
    "Organ", "Trumpet", "Violin, fiddle",
)  # fmt: skip
# Classes that are part of another class: a guitar is music, a man's speech is speech.
_PARENT_CLASS = dict.fromkeys(_INSTRUMENTS, "Music") | {
    "Male speech, man speaking": "Speech",
    "Female speech, woman speaking": "Speech",
    "Child speech, kid speaking": "Speech",
    "Fire": "Crackle",
}


def fit_text(config: TinyEncoderConfig, anchors: Tensor, wordings: Wordings, steps: int) -> TextTower:
    """Train the text tower to map sentences to their kind, and meaningless sentences to all kinds equally."""
    torch.manual_seed(1)
    rng = random.Random(1)
    tower = TextTower(config)
    tower.anchors.copy_(anchors)
    optimizer = torch.optim.AdamW(tower.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        sentences, kinds = [], torch.full((_SENTENCES, len(config.kinds)), 1.0 / len(config.kinds))
        for item in range(_SENTENCES):
            if rng.random() < _NONSENSE:
                sentences.append(wordings.nonsense(rng))
                continue
            kind = rng.randrange(len(config.kinds))
            sentences.append(wordings.sentence(config.kinds[kind], rng))
            kinds[item] = F.one_hot(torch.tensor(kind), len(config.kinds))
        loss = F.cross_entropy(tower.logits(sentences), kinds)
        _step(loss, optimizer, schedule)
        if step % 100 == 0:
            print(f"text tower: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    return tower


class _Spectrogram(NamedTuple):
    """A sound's mel spectrogram, (mels, frames), and the mean square of its frames, (frames,)."""

    mel: Tensor
    energy: Tensor


def fit_audio(config: TinyEncoderConfig, anchors: Tensor, training_sounds: Sequence[Sound], steps: int) -> AudioTower:
    """Train the audio tower to embed sounds at the anchors of their kinds; returns the moving average of the weights.

    Sounds are mixed as mel spectrograms: with random phases, energies add up.
    """
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    tower = AudioTower(config)
    spectrograms = _spectrograms(tower, training_sounds, config)
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, sound in enumerate(training_sounds):
        by_label[sound.label].append(number)
    real = {sound.label for sound in training_sounds if sound.real}
    weights = np.array([_REAL_WEIGHT if label in real else 1.0 for label in by_label])
    place = {kind: number for number, kind in enumerate(config.kinds)}
    tower = tower.to(memory_format=torch.channels_last).train()
    mean = AveragedModel(tower, multi_avg_fn=get_ema_multi_avg_fn(0.995), use_buffers=True)
    optimizer = torch.optim.AdamW(tower.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        frames = int(rng.uniform(*_SECONDS) * RATE / config.hop)
        spectra, kinds = [], torch.zeros(_CLIPS, len(config.kinds))
        for item, label in enumerate(rng.choice(list(by_label), _CLIPS, p=weights / weights.sum())):
            scene = _crop(spectrograms[rng.choice(by_label[label])], frames, rng)
            own = {str(label), _PARENT_CLASS.get(str(label), str(label))}
            if label in _INSTRUMENTS and rng.random() < 0.5:  # several instruments are music
                for other in rng.choice(_INSTRUMENTS, rng.integers(1, 3)):
                    scene = _add(
                        scene, _crop(spectrograms[rng.choice(by_label[other])], frames, rng), rng.uniform(-6, 6)
                    )
                own = {"Music"}
            for kind in own:
                kinds[item, place[kind]] = 1.0 / len(own)
            other = _crop(spectrograms[rng.integers(len(spectrograms))], frames, rng)
            spectra.append(_augmented(_add(scene, other, rng.uniform(*_INTERFERENCE_DB)), rng))
        images = torch.stack(spectra)[:, None].contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            points = tower.embed(images)
        loss = F.cross_entropy(config.sharpness * points.float() @ anchors.T, kinds, label_smoothing=0.05)
        _step(loss, optimizer, schedule)
        mean.update_parameters(tower)
        if step % 100 == 0:
            print(f"audio tower: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    averaged = mean.module
    assert isinstance(averaged, AudioTower)
    return averaged.to(memory_format=torch.contiguous_format)


def _step(loss: Tensor, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


@torch.no_grad()
def _spectrograms(tower: AudioTower, training_sounds: Sequence[Sound], config: TinyEncoderConfig) -> list[_Spectrogram]:
    spectrograms = []
    for sound in training_sounds:
        audio = torch.from_numpy(read_mono(sound.wav, RATE))
        frames = len(audio) // config.hop
        audio = audio[: frames * config.hop]
        energy = audio.reshape(frames, config.hop).square().mean(dim=1)
        spectrograms.append(_Spectrogram(tower.mel(audio[None])[0, :, :frames], energy))
    return spectrograms


def _crop(sound: _Spectrogram, frames: int, rng: np.random.Generator) -> _Spectrogram:
    """The loudest of three random crops, padded with silence at the end."""
    starts = rng.integers(0, max(1, len(sound.energy) - frames + 1), 3).tolist()
    start = max(starts, key=lambda start: float(sound.energy[start : start + frames].sum()))
    mel, energy = sound.mel[:, start : start + frames], sound.energy[start : start + frames]
    missing = (0, frames - len(energy))
    return _Spectrogram(F.pad(mel, missing), F.pad(energy, missing))


def _add(scene: _Spectrogram, other: _Spectrogram, gain_db: float) -> _Spectrogram:
    """A scene plus another sound, scaled to be ``gain_db`` louder."""
    ratio = float(scene.energy.mean() / other.energy.mean().clamp(min=1e-9))
    gain = min(ratio, 1e6) * 10 ** (gain_db / 10)
    return _Spectrogram(scene.mel + gain * other.mel, scene.energy + gain * other.energy)


def _augmented(scene: _Spectrogram, rng: np.random.Generator) -> Tensor:
    """The input of the tower for a scene with a random equaliser and masked stripes (SpecAugment): (mels, frames)."""
    mels, frames = scene.mel.shape
    height = torch.linspace(-1, 1, mels)
    tilt, bend = torch.randn(2)
    curve = 0.4 * tilt * height + 0.4 * bend * height.square() + 0.03 * torch.randn(mels).cumsum(dim=0)
    mel = scene.mel * 10 ** curve[:, None] / scene.energy.mean().clamp(min=1e-10)
    masked = AudioTower.compress(mel)
    if rng.random() < 0.5:
        low = int(rng.integers(0, mels - 8))
        masked[low : low + int(rng.integers(1, 9))] = masked.mean()
    if rng.random() < 0.5:
        first = int(rng.integers(0, max(1, frames - 10)))
        masked[:, first : first + int(rng.integers(1, max(2, frames // 5)))] = masked.min()
    return masked
