"""What the bundled models reach on a few made sounds: measured, and separated, by the command line.

Version 0.1 had no input level, so its numbers are those of the bundled base without one.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from frozen.old_files import dplass

from dplass_cli.models import load_base, save_base

RATE = 32000
ON = ("--backend", "torch", "--device", "cpu", "--precision", "32-true")
# Other versions may show a policy under another name, and still take this one.
POLICIES = {"base": "base", "text": "text", "blend": "blend", "audio": "audio", "contrast": "validated+residual"}
CAPTIONS = ("a dog barking", "rain falling", "a siren", "a flute", "typing on a keyboard", "a helicopter")
Floats = npt.NDArray[np.float64]


def sounds(seconds: float, rate: int) -> dict[str, Floats]:
    """One sound a caption, of about what it says; the peak of each is 0.4."""
    generator = np.random.default_rng(7)
    time = np.arange(round(seconds * rate)) / rate
    noise = generator.standard_normal((3, len(time)))
    beat, click = time % 0.5, time % 0.17

    def harmonics(phase: Floats, count: int, slope: float) -> Floats:
        return np.sum([np.sin(number * phase) / number**slope for number in range(1, count)], axis=0)

    pitch = np.cumsum(700 + 300 * np.sin(2 * np.pi * 0.7 * time)) / rate
    low = np.cumsum(noise[2]) - np.convolve(np.cumsum(noise[2]), np.ones(400) / 400, "same")
    made = (
        harmonics(2 * np.pi * (500 * beat - 300 * beat**2), 12, 0.7) * np.exp(-12 * beat),
        noise[0] * (1 + 0.1 * np.sin(2 * np.pi * 3 * time)),
        harmonics(2 * np.pi * pitch, 4, 1.5),
        harmonics(2 * np.pi * 660 * time, 5, 2.0) * (1 + 0.2 * np.sin(2 * np.pi * 5 * time)),
        noise[1] * np.exp(-200 * click),
        low * (1 + np.sin(2 * np.pi * 13 * time)),
    )
    return {caption: 0.4 * sound / np.abs(sound).max() for caption, sound in zip(CAPTIONS, made, strict=True)}


def models(folder: Path) -> tuple[str | Path, ...]:
    """Options that name version 0.1's bundled models."""
    base = load_base("tiny-0.1")
    base.config = dataclasses.replace(base.config, input_level_db=None)
    save_base(folder / "base.safetensors", base, base.encoder_fingerprint, torch.float16)
    return "--base-checkpoint", folder / "base.safetensors", "--encoder", "tiny-0.1", "--adapters", "tiny-0.1"


def measure(folder: Path) -> Any:
    """Six mixtures of 2 s under five policies: {policy: means}, and what every run reached on every item."""
    made = list(sounds(2.0, RATE).items())
    for number, (_, sound) in enumerate(made):
        mixture = sound + made[(number + 1) % len(made)][1]
        soundfile.write(folder / f"segment-{number}.wav", sound, RATE, "FLOAT")
        soundfile.write(folder / f"mixture-{number}.wav", mixture, RATE, "FLOAT")
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("idx", "caption"), *enumerate(CAPTIONS)])
    where = ("--benchmark", "esc50", "--metadata-csv", folder / "table.csv", "--audio-dir", folder)
    said = dplass(
        "evaluate",
        *where,
        "--select",
        ",".join(POLICIES),
        *ON,
        *models(folder),
        "--no-report",
        "--output",
        folder / "out",
    )
    policies = {
        name: {key: said["policies"][name if name in said["policies"] else renamed][key] for key in METRICS}
        for name, renamed in POLICIES.items()
    }
    items: dict[str, dict[str, float]] = {}
    with open(folder / "out" / "items.csv", newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(line for line in stream if not line.startswith("#")):
            run = {renamed: name for name, renamed in POLICIES.items()}.get(row["adapter"], row["adapter"])
            items.setdefault(row["idx"], {})[run] = float(row["sdri"])
    return {"policies": policies, "items": items}


METRICS = ("sdri", "si_sdr", "sdr", "si_sdri", "n")


def separate(folder: Path) -> Any:
    """A recording of 4 s, stereo at 44.1 kHz: the level of every half second of every file in dB, and what is said."""
    made = sounds(4.0, 44100)
    dog, rain = made["a dog barking"], made["rain falling"]
    soundfile.write(folder / "recording.wav", np.stack([dog + rain, 0.5 * dog + 0.8 * rain], axis=1), 44100, "FLOAT")
    asked = ("--query", "a dog barking", "--query", "rain falling", "--residual", "--subtype", "FLOAT")
    chosen = ("--select", "validated", "--refine", "residual", *models(folder))
    said = dplass("separate", folder / "recording.wav", *asked, *chosen, *ON, "--output", folder / "targets")
    levels = {}
    for target in next(iter(said["written"].values())):
        audio, rate = soundfile.read(target["path"])
        halves = audio[: len(audio) // (rate // 2) * (rate // 2)].reshape(-1, rate // 2, 2)
        power = np.square(halves).mean(axis=1)
        levels[target["query"]] = {
            "levels_db": (10 * np.log10(power + 1e-12)).round(6).tolist(),
            "adapter": target["adapter"],
            "presence": target["presence"] and target["presence"]["score"],
            "samples": len(audio),
        }
    return levels


def numbers(folder: Path) -> Any:
    """Both, as JSON has them."""
    for name in ("measured", "separated"):
        (folder / name).mkdir()
    found = {"measured": measure(folder / "measured"), "separated": separate(folder / "separated")}
    return json.loads(json.dumps(found))
