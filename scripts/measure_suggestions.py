"""Measure the suggestions of the page: how often they contain the sounds of a recording.

    python scripts/measure_suggestions.py DATA [--fold 4] [--mixtures 120]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md). Clips, and mixtures of two clips of different classes
with the same energy, drawn with a fixed seed. Prints, per number of sources, the share of sources whose kind is the
first suggestion, among the first three, and among all of them.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dplass_cli.audio.reading import Audio, audio_info, fit_length, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import load_encoder
from dplass_cli.server.suggestions import COUNT, suggest

RATE, SECONDS = 32000, 5


def mixtures(clips: Sequence[tuple[Path, str]], count: int) -> Iterator[tuple[Audio, set[str]]]:
    """``count`` mixtures of two clips of different kinds: samples float32 (T,), and their kinds."""
    draw = random.Random(0)
    while count:
        (one, kind), (other, other_kind) = draw.sample(clips, 2)
        if kind != other_kind:
            sources = [fit_length(read_mono(wav, RATE), SECONDS * RATE) for wav in (one, other)]
            mixed = sum(source / np.sqrt(np.square(source).mean()) for source in sources)
            yield (0.1 * mixed).astype(np.float32), {kind, other_kind}
            count -= 1


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", default="4")
    parser.add_argument("--mixtures", type=int, default=120)
    arguments = parser.parse_args()
    encoder = load_encoder("tiny")
    with open(arguments.data / "clips.csv", encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["fold"] == arguments.fold]
    clips = [
        (arguments.data / "audio" / row["filename"], row["audioset_label"])
        for row in rows
        if row["audioset_label"] in encoder.kinds
    ]
    single = [(read_mono(wav, RATE), {kind}) for wav, kind in clips]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "recording.wav"
        for title, recordings in (("one source", single), ("two sources", list(mixtures(clips, arguments.mixtures)))):
            places: list[int] = []  # of each source among the suggestions
            for audio, kinds in recordings:
                write_audio(path, audio[None], RATE)
                suggested = [sound for sound, _ in suggest(path, audio_info(path), encoder)]
                places += [suggested.index(kind) if kind in suggested else COUNT for kind in kinds]
            shares = [np.mean([place < first for place in places]) for first in (1, 3, COUNT)]
            listed = ", ".join(f"{share:.0%}" for share in shares)
            print(f"{title}, {len(recordings)} recordings: first, first three, first {COUNT}: {listed}")


if __name__ == "__main__":
    main()
