"""Files of built-in sounds that the other verbs work on: a corpus, evaluation mixtures, and a recording."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import numpy as np

from dplass_cli import sounds
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.storage import Progress, make_folder, write_text

_SAMPLE_RATE, _RECORDING_RATE = 32000, 44100
_TRAINING_SEED, _EVALUATION_SEED = 1000, 2000  # the bundled models were trained on neither


def write_corpus(folder: Path, clips: int, progress: Progress) -> None:
    """Write clips of 5 s of every class in AudioSet's layout: audio/, segments.csv, class_labels_indices.csv."""
    count = clips * len(sounds.CATALOGUE)
    segments = ["# built-in sounds of dplass", f"# num_segs={count}", "# YTID, start, end, labels"]
    classes = ["index,mid,display_name"]
    for index, kind in enumerate(sounds.CATALOGUE):
        progress(index, len(sounds.CATALOGUE), "sounds")
        classes.append(f'{index},{kind.mid},"{kind.label}"')
        for number in range(clips):
            video = _video_id(f"{kind.name} {number}")
            audio = sounds.render(kind.name, _TRAINING_SEED + number, 5.0, _SAMPLE_RATE)
            write_audio(folder / "audio" / f"Y{video}.wav", audio[None], _SAMPLE_RATE, "PCM_16")
            segments.append(f'{video}, 0.000, 5.000, "{kind.mid}"')
    write_text(folder / "segments.csv", "\n".join(segments) + "\n")
    write_text(folder / "class_labels_indices.csv", "\n".join(classes) + "\n")


def _video_id(text: str) -> str:
    """Eleven characters of the alphabet of YouTube ids."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:11]


def write_evaluation_mixtures(folder: Path, count: int) -> Path:
    """Write clips that :func:`write_corpus` does not, and the returned table of mixtures of two groups at 0 dB."""
    chooser = random.Random(0)
    clips = {}
    for kind in sounds.CATALOGUE:
        clips[kind.name] = folder / "audio" / f"{kind.name}.wav"
        audio = sounds.render(kind.name, _EVALUATION_SEED, 5.0, _SAMPLE_RATE)
        write_audio(clips[kind.name], audio[None], _SAMPLE_RATE, "PCM_16")
    kinds = list(sounds.CATALOGUE)
    mixtures = []
    for number in range(count):
        target = kinds[number % len(kinds)]
        noise = chooser.choice([kind for kind in kinds if kind.group != target.group])
        mixtures.append(Mixture(Row(clips[target.name], target.label), Row(clips[noise.name], noise.label)))
    write_mixtures(folder / "mixtures.csv", mixtures)
    return folder / "mixtures.csv"


def write_recording(folder: Path) -> tuple[Path, Path]:
    """Write and return an ordinary recording (44.1 kHz stereo, a dog on the left in the rain) and the dog alone."""
    make_folder(folder)
    dog, rain = (sounds.render(name, _EVALUATION_SEED + 1, 8.0, _RECORDING_RATE) for name in ("dog_bark", "rain"))
    dog = np.stack([dog, 0.5 * dog]) * (0.3 / np.abs(dog).max())
    rain = np.stack([rain, rain]) * np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    recording, reference = folder / "dog_in_the_rain.wav", folder / "dog_reference.wav"
    write_audio(recording, (dog + rain).astype(np.float32), _RECORDING_RATE, "PCM_16")
    write_audio(reference, dog.astype(np.float32), _RECORDING_RATE, "PCM_16")
    return recording, reference
