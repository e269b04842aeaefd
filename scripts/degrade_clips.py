"""Write the clips of a manifest as codecs, a telephone, a room and noise would leave them, to measure an encoder on.

    python scripts/degrade_clips.py MANIFEST OUTPUT
    python scripts/compare_encoders.py OUTPUT/opus-6/clips.json ENCODER OTHER

Each condition becomes a folder of OUTPUT with the files and their manifest, ``clips.json``; docs/encoder.md has
results.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.signal import oaconvolve

from dplass_cli.audio.encoding import lossy_writer
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.resampling import resample
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.storage import make_folder

RATE = 32000
TELEPHONE_RATE = 8000
REVERBERATION_SECONDS, DIRECT = 0.6, 6.0  # T60 of the room; direct sound over the standard deviation of the tail
NOISE_DB = -10.0  # re the clip

Write = Callable[[Path, Audio], None]
"""Writes a mono clip, float32 (T,) at 32 kHz, to a file."""


def encode(bitrate: int, path: Path, audio: Audio) -> None:
    """By the codec of the suffix, at a bitrate in kbit/s."""
    with lossy_writer(path, RATE, 1, bitrate) as write:
        write(audio[None])


def telephone(path: Path, audio: Audio) -> None:
    """A band of 4 kHz, µ-law (G.711)."""
    write_audio(path, resample(audio, RATE, TELEPHONE_RATE)[None], TELEPHONE_RATE, "ULAW")


def room(path: Path, audio: Audio) -> None:
    """With the direct sound and an exponentially decaying tail of noise."""
    length = round(REVERBERATION_SECONDS * RATE)
    response = np.random.default_rng(0).normal(size=length) * 10.0 ** (-3.0 * np.arange(length) / length)
    response[0] = DIRECT
    wet = oaconvolve(audio, response)[: len(audio)]
    write_audio(path, np.asarray(wet[None] / max(1.0, np.abs(wet).max()), dtype=np.float32), RATE)


def noise(path: Path, audio: Audio) -> None:
    """With white noise."""
    level = np.sqrt(np.square(audio).mean()) * 10.0 ** (NOISE_DB / 20.0)
    noisy = audio + level * np.random.default_rng(len(audio)).normal(size=len(audio))
    write_audio(path, np.asarray(noisy[None], dtype=np.float32), RATE)


CONDITIONS: dict[str, tuple[str, Write]] = {
    "mp3-32": (".mp3", partial(encode, 32)),
    "aac-24": (".m4a", partial(encode, 24)),
    "opus-12": (".opus", partial(encode, 12)),
    "opus-6": (".opus", partial(encode, 6)),
    "telephone": (".wav", telephone),
    "room": (".wav", room),
    "noise": (".wav", noise),
}
"""{name: suffix of its files, and what writes one}."""


def degrade(rows: Sequence[Row], output: Path) -> None:
    """Write the clips of all conditions."""
    numbers = {path: number for number, path in enumerate(dict.fromkeys(row.wav for row in rows))}
    for name in CONDITIONS:
        make_folder(output / name)
    for path, number in numbers.items():
        audio = read_mono(path, RATE)
        for name, (suffix, write) in CONDITIONS.items():
            write(output / name / f"{number}{suffix}", audio)
    for name, (suffix, _) in CONDITIONS.items():
        degraded = [replace(row, wav=output / name / f"{numbers[row.wav]}{suffix}") for row in rows]
        write_manifest(output / name / "clips.json", degraded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    degrade(read_manifest(asked.manifest), asked.output)


if __name__ == "__main__":
    main()
