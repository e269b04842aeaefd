"""Measure what the level and the offset of a recording change: the table of docs/tiny.md.

    python scripts/measure_level.py DATA [--mixtures 200]

DATA is a folder with eval_fold4.csv and audio/ (see docs/tiny.md). Each mixture is separated by ``separate``'s defaults
as it is, at other levels, and with an offset. Prints the mean SDRi in dB, and the mean and the median presence of the
target.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from dplass_cli import Separator
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.mixture_tables import read_mixtures, render
from dplass_cli.evaluation.metrics import batch_scores

RATE = 32000
LEVELS_DB = (-50.0, -40.0, -20.0, 20.0)
OFFSETS = (0.01, 0.05, 0.1)
CONDITIONS = [(0.0, 0.0), *((level, 0.0) for level in LEVELS_DB), *((0.0, offset) for offset in OFFSETS)]


def sdr(reference: Audio, estimate: Audio) -> float:
    return float(batch_scores(torch.from_numpy(reference)[None], torch.from_numpy(estimate)[None])[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--mixtures", type=int, help="use the first so many")
    asked = parser.parse_args()
    mixtures = read_mixtures(asked.data / "eval_fold4.csv", asked.data / "audio")[: asked.mixtures]
    separator = Separator.from_pretrained(device="cpu")
    gains: dict[tuple[float, float], list[float]] = {condition: [] for condition in CONDITIONS}
    presence: dict[tuple[float, float], list[float]] = {condition: [] for condition in CONDITIONS}
    with tempfile.TemporaryDirectory() as name:
        recording = Path(name) / "recording.wav"
        for mixture in mixtures:
            mixed, target = render(mixture, RATE)
            query = mixture.source.caption
            for level_db, offset in CONDITIONS:
                gain = np.float32(10.0 ** (level_db / 20.0))
                write_audio(recording, (mixed * gain + np.float32(offset))[None], RATE, "FLOAT")
                (separated,) = separator.separate_file(recording, [query], name, clip="scale")
                estimate = read_mono(separated.path, RATE) / np.float32(10.0 ** (separated.gain_db / 20.0)) / gain
                gains[level_db, offset].append(sdr(target, estimate) - sdr(target, mixed))
                assert separated.presence is not None
                presence[level_db, offset].append(separated.presence.score)
                separated.path.unlink()
    print("| level (dB) | offset | SDRi (dB) | presence, mean | median |\n|---:|---:|---:|---:|---:|")
    for level_db, offset in CONDITIONS:
        found = presence[level_db, offset]
        row = f"{np.mean(gains[level_db, offset]):.2f} | {np.mean(found):.3f} | {np.median(found):.3f}"
        print(f"| {level_db:+.0f} | {offset:g} | {row} |")


if __name__ == "__main__":
    main()
