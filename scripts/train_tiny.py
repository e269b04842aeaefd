"""Train the bundled tiny encoder and tiny base from real clips (folds 1 to 3) and the built-in sounds.

    python scripts/train_tiny.py DATA WORK [--stage data|encoder|words|base] [--steps N]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md); fold 4 is never read. WORK receives 32 kHz copies,
checkpoints and logs; the finished weights go to dplass_cli/assets/tiny. The base goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
import yaml
from torch.nn import functional as F

from dplass_cli import sounds
from dplass_cli.audio.files import read_mono, write_audio
from dplass_cli.audio.resampling import resample
from dplass_cli.data.manifest import Row
from dplass_cli.data.samples import Source, TrainingSamples
from dplass_cli.data.settings import DataSettings
from dplass_cli.devices import choose_device
from dplass_cli.encoders import load_encoder, save_tiny_encoder
from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.encoders.vocabulary import vocabulary_of
from dplass_cli.models import save_base
from dplass_cli.models.resunet30 import ResUNet30, ResUNet30Config
from dplass_cli.training.settings import OptimizerSettings, TrainSettings
from dplass_cli.training.trainer import Hardware, Job, Trained, ValidationMixtures, train_network

RATE = 32000
ASSETS = Path(__file__).parents[1] / "dplass_cli" / "assets" / "tiny"
SPEEDS = (1.0, 0.84, 0.92, 1.09, 1.2)  # pitch and speed together: variety for few clips
SYNTHETIC_SEEDS = 8
TEMPLATES = (
    "{}",
    "the sound of {}",
    "{} in the background",
    "sound of {} nearby",
    "I hear {}",
    "a recording of {}",
    "only {}",
)
BASE = ResUNet30Config(
    condition_size=128,
    n_fft=1024,
    hop=320,
    pre_channels=32,
    channels=(32, 64, 96, 128, 160),
    downsample=((2, 2), (2, 2), (2, 2), (2, 2), (1, 2)),
    stem=(2, 4),
    input_power=0.3,
)


def prepare(data: Path, work: Path) -> None:
    """Write 32 kHz copies of all training clips and an index of them: wav, label, real or not, speed."""
    index = []
    with open(data / "clips.csv", encoding="utf-8") as stream:
        clips = [row for row in csv.DictReader(stream) if row["fold"] in ("1", "2", "3")]
    for clip in clips:
        audio = read_mono(data / "audio" / clip["filename"], RATE)
        for speed in SPEEDS:
            path = work / "audio" / f"{Path(clip['filename']).stem}_{speed}.wav"
            changed = resample(audio, round(RATE * speed / 100) * 100, RATE)
            write_audio(path, changed[None], RATE)
            index.append({"wav": str(path), "label": clip["audioset_label"], "real": True, "speed": speed})
    for kind in sounds.CATALOGUE:
        for seed in range(SYNTHETIC_SEEDS):
            path = work / "audio" / f"{kind.name}_{seed}.wav"
            write_audio(path, sounds.render(kind.name, seed, 5.0, RATE)[None], RATE)
            index.append({"wav": str(path), "label": kind.label, "real": False, "speed": 1.0})
    (work / "index.json").write_text(json.dumps(index))


def wordings(data: Path) -> dict[str, list[str]]:
    """All sentences of each class."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    with open(data / "clips.csv", encoding="utf-8") as stream:
        for clip in csv.DictReader(stream):
            found[clip["audioset_label"]] |= dict.fromkeys([*clip["captions"].split("|"), clip["audioset_label"]])
    for kind in sounds.CATALOGUE:
        found[kind.label] |= dict.fromkeys([*kind.captions, kind.label, kind.name.replace("_", " ")])
    own = yaml.safe_load((Path(__file__).parent / "tiny_wordings.yaml").read_text(encoding="utf-8"))
    for label, kinds in own.items():
        found[label] |= dict.fromkeys(kinds["sentences"])
        found[label] |= dict.fromkeys(template.format(thing) for thing in kinds["things"] for template in TEMPLATES)
    return {label: list(sentences) for label, sentences in found.items()}


def train_encoder(data: Path, work: Path, steps: int) -> None:
    """Train both towers contrastively: sounds and sentences of one class attract, all others repel."""
    torch.manual_seed(1)
    chooser = random.Random(1)
    rng = np.random.default_rng(1)
    index = json.loads((work / "index.json").read_text())
    audio = [torch.from_numpy(read_mono(item["wav"], RATE)) for item in index]
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(index):
        by_label[item["label"]].append(number)
    real = {item["label"] for item in index if item["real"]}
    sentences, labels = wordings(data), sorted(by_label)
    weights = [2.0 if label in real else 1.0 for label in labels]
    device = choose_device("auto")
    encoder = TinyEncoder().to(device)
    encoder.audio.to(memory_format=torch.channels_last)
    scale = torch.nn.Parameter(torch.tensor(2.3, device=device))
    optimizer = torch.optim.AdamW([*encoder.parameters(), scale], lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    began = time.time()
    for step in range(steps):
        length = int(rng.uniform(1.5, 4.0) * RATE)
        chosen = chooser.choices(labels, weights, k=48)
        clips = torch.stack([_crop(audio[chooser.choice(by_label[label])], length, rng) for label in chosen])
        # Other sounds faintly below, so that the tower hears the loudest one.
        noise = torch.stack([_crop(audio[rng.integers(len(audio))], length, rng) for _ in chosen])
        level = clips.square().mean(1, keepdim=True).sqrt() / noise.square().mean(1, keepdim=True).sqrt().clamp(
            min=1e-4
        )
        below = torch.from_numpy(10 ** (rng.uniform(-40, -6, (len(chosen), 1)) / 20)).float()
        clips = clips + noise * level.clamp(max=1e3) * below
        texts = [chooser.choice(sentences[label]) for label in chosen]
        with torch.autocast(device.type, dtype=torch.bfloat16):
            heard = encoder.audio(clips.to(device))
        read = encoder.text(texts)
        same = torch.tensor([[float(a == b) for b in chosen] for a in chosen], device=device)
        loss = sum(
            (
                F.cross_entropy(scale.exp() * a.float() @ b.float().T, same / same.sum(1, keepdim=True))
                for a, b in ((heard, read), (read, heard), (read, read), (heard, heard))
            ),
            start=torch.tensor(0.0, device=device),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            hit = (heard.float() @ read.T).argmax(1)
            right = np.mean([chosen[i] == chosen[j] for i, j in enumerate(hit.tolist())])
            print(
                f"encoder step {step} loss {loss.item():.3f} right {right:.2f} {time.time() - began:.0f} s", flush=True
            )
    encoder.vocabulary = vocabulary_of(sentences)
    save_tiny_encoder(ASSETS / "encoder.safetensors", encoder.eval())


def list_words(data: Path) -> None:
    """Write the words of the training sentences into the bundled encoder's file; its weights stay as they are."""
    encoder = load_encoder("tiny")
    assert isinstance(encoder, TinyEncoder)
    encoder.vocabulary = vocabulary_of(wordings(data))
    save_tiny_encoder(ASSETS / "encoder.safetensors", encoder)


def _crop(clip: torch.Tensor, length: int, rng: np.random.Generator) -> torch.Tensor:
    """The loudest of three random crops, padded with zeros at the end."""
    starts = rng.integers(0, max(1, len(clip) - length + 1), 3)
    crops = [clip[start : start + length] for start in starts]
    best = max(crops, key=lambda crop: float(crop.square().sum()))
    return F.pad(best, (0, length - len(best)))


def train_base(data: Path, work: Path, steps: int) -> None:
    """Train the whole base on mixtures of two different classes, with the frozen encoder's text embeddings."""
    torch.manual_seed(1)
    encoder = load_encoder("tiny")
    index = json.loads((work / "index.json").read_text())
    sentences = wordings(data)
    texts = sorted({text for item in index for text in sentences[item["label"]]})
    numbers = {text: number for number, text in enumerate(texts)}
    sources = [
        Source(
            Row(Path(item["wav"]), item["label"]),
            frozenset({item["label"]}),
            tuple(numbers[t] for t in sentences[item["label"]]),
        )
        for item in index
    ]
    settings = TrainSettings(
        OptimizerSettings(learning_rate=1e-3, schedule="cosine", warm_up_steps=200),
        batch_size_per_device=10,
        num_workers=0,
        loss_type="negative_sdr",
        precision="bf16-mixed",
        max_epochs=1_000_000,
        max_steps=steps,
        save_step_frequency=200,
        gradient_clip=5.0,
        random_seed=1,
    )
    samples = TrainingSamples(sources, {0: sources}, encoder.embed_text(texts), DataSettings(), settings.random_seed)
    network = ResUNet30(BASE).to(memory_format=torch.channels_last)

    def export(which: str, reached: Trained) -> None:
        if which == "last":
            save_base(ASSETS / "base.safetensors", network, encoder.fingerprint, torch.float16)

    job = Job("base", network, samples, ValidationMixtures({}, {}, RATE), export, moving_statistics=True)
    train_network(job, settings, Hardware(), work, resume=True, progress=_tell)


def _tell(step: int, steps: int, what: str) -> None:
    if step % 50 == 0:
        print(f"step {step} of {steps}, {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--encoder-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--stage", choices=["all", "data", "encoder", "words", "base"], default="all")
    arguments = parser.parse_args()
    if arguments.stage in ("all", "data") and not (arguments.work / "index.json").exists():
        prepare(arguments.data, arguments.work)
    if arguments.stage in ("all", "encoder"):
        train_encoder(arguments.data, arguments.work, arguments.encoder_steps)
    if arguments.stage == "words":
        list_words(arguments.data)
    if arguments.stage in ("all", "base"):
        train_base(arguments.data, arguments.work, arguments.steps)


if __name__ == "__main__":
    main()
