"""The two towers of the encoder: text, distilled from a sentence encoder, and audio, trained to the same anchors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.encoders.tiny import TextTower
from dplass_cli.options.parse import build_options
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.train import train
from dplass_cli.resources import resource
from tiny_models.clips import Sound, by_kind
from tiny_models.kinds import Carriers, Kind, made_up
from tiny_models.networks import FOREVER, fast_precision, print_step

_SENTENCES = 512  # per step
# Of a batch: wordings of kinds, single words, phrases, made-up words, words without a kind.
_PARTS = (0.54, 0.16, 0.16, 0.12, 0.02)
_FURTHER = 0.6  # share of the further wordings among wordings of kinds
_MADE_UP = (0, 0, 0, 1, 2)  # made-up words put into a sentence
_BUILT_IN = 0.15  # share of built-in sounds in kinds that have clips


def fit_text(
    config: TinyEncoderConfig,
    anchors: Tensor,
    kinds: Sequence[Kind],
    carriers: Carriers,
    read: Mapping[str, Tensor],
    words: Sequence[str],
    phrases: Sequence[str],
    without: Sequence[str],
    steps: int,
) -> TextTower:
    """Train the text tower to give the teacher's probabilities of the kinds, whatever words surround a description.

    Args:
        anchors: float32 (K, D), the points of the kinds.
        read: {text: the teacher's probabilities, float32 (K,)} of all words and phrases.
        words: single words.
        phrases: phrases of known and other words.
        without: texts that no kind answers to, which are to be unknown.
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
        for part in rng.choices(range(len(_PARTS)), _PARTS, k=_SENTENCES):
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
            elif part == 3:
                text = carriers.around(" ".join(made_up(rng) for _ in range(rng.randint(1, 4))), rng, 0.4)
                target = uniform
            else:
                text, target = carriers.around(rng.choice(without), rng), uniform
            split = text.split()
            for _ in range(rng.choice(_MADE_UP) if part == 0 else 0):
                split.insert(rng.randint(0, len(split)), made_up(rng))
            sentences.append(" ".join(split))
            targets.append(target)
        loss = F.cross_entropy(tower.logits(sentences), torch.stack(targets))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"text tower: step {step} of {steps}, loss {loss.item():.3f}", flush=True)
    return tower


def train_audio(
    untrained: Path, found: Sequence[Sound], work: Path, output: Path, steps: int, workers: int = 0
) -> None:
    """Train an audio tower by ``dplass train --what encoder`` to the sentences of an encoder, and write both towers.

    A run that is stopped goes on at its last checkpoint.

    Args:
        untrained: file of an encoder with a finished text tower.
        found: the sounds; the names of their kinds are their captions.
        output: file of the trained encoder.
        steps: of a batch each.
        workers: processes that read sounds.
    """
    manifest = work / "sounds_by_kind.json"
    write_manifest(manifest, _rows(found))
    flags = {
        "what": "encoder",
        "partition": manifest,
        "workspace": work / "audio_tower",
        "encoder": str(untrained),
        "contrastive.validation_share": 0.0,
        "train.max_epochs": FOREVER,
        "train.max_steps": steps,
        "train.optimizer.warm_up_steps": steps // 10,
        "train.save_step_frequency": 100,
        "train.precision": fast_precision(),
        "train.num_workers": workers,
        "resume": True,
    }
    result = train(build_options(TrainOptions, resource("configs/audio-tower.yaml"), flags=flags), print_step)
    trained = load_encoder(result.output)
    assert isinstance(trained, TinyEncoder)
    save_tiny_encoder(output, trained)


def _rows(found: Sequence[Sound]) -> list[Row]:
    """The sounds, weighted so that all kinds are drawn equally often, and built-in sounds are _BUILT_IN of a kind."""
    rows = []
    for kind, numbers in by_kind(found).items():
        real = sum(found[number].real for number in numbers)
        shares = {True: 1.0 - _BUILT_IN, False: _BUILT_IN} if 0 < real < len(numbers) else {True: 1.0, False: 1.0}
        counts = {True: real, False: len(numbers) - real}
        for number in numbers:
            sound = found[number]
            rows.append(Row(Path(sound.wav), kind, id=sound.clip, weight=shares[sound.real] / counts[sound.real]))
    return rows
