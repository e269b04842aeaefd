"""The training sounds: real clips at several speeds, and built-in sounds."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from dplass_cli import sounds
from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.resampling import resample
from dplass_cli.audio.writing import write_audio
from dplass_cli.storage import write_json

RATE = 32000
SPEEDS = (1.0, 0.84, 0.92, 1.09, 1.2)  # change pitch and speed together, as augmentation
SYNTHETIC_SEEDS = 8


@dataclass(frozen=True)
class Sound:
    """One training sound.

    Attributes:
        wav: path of its 32 kHz copy.
        clip: the clip or built-in sound that it was made from.
        label: AudioSet's name of its class.
        caption: the first caption of its class.
        real: recorded, not built in.
    """

    wav: str
    clip: str
    label: str
    caption: str
    real: bool


def prepare(data: Path, work: Path, folds: Collection[str]) -> list[Sound]:
    """Write 32 kHz copies of the clips of some folds and of the built-in sounds, unless that was done before."""
    index = work / "sounds.json"
    if index.exists():
        return [Sound(**entry) for entry in json.loads(index.read_text(encoding="utf-8"))]
    prepared = []
    captions: dict[str, str] = {}
    for row in read_clips(data):
        captions[row["audioset_label"]] = row["captions"].split("|")[0]
        if row["fold"] not in folds:
            continue
        audio, clip = read_mono(data / "audio" / row["filename"], RATE), Path(row["filename"]).stem
        for speed in SPEEDS:
            path = work / "audio" / f"{clip}_{speed}.wav"
            write_audio(path, resample(audio, round(RATE * speed / 100) * 100, RATE)[None], RATE)
            prepared.append(Sound(str(path), clip, row["audioset_label"], captions[row["audioset_label"]], True))
    for kind in sounds.CATALOGUE:
        caption = captions.get(kind.label, kind.captions[0])
        for seed in range(SYNTHETIC_SEEDS):
            path = work / "audio" / f"{kind.name}_{seed}.wav"
            write_audio(path, sounds.render(kind.name, seed, 5.0, RATE)[None], RATE)
            prepared.append(Sound(str(path), path.stem, kind.label, caption, False))
    write_json(index, [asdict(sound) for sound in prepared])
    return prepared


def read_clips(data: Path) -> list[dict[str, str]]:
    """The rows of ``clips.csv``."""
    with open(data / "clips.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
