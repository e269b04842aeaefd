"""The training sounds: real clips at several speeds, and built-in sounds."""

from __future__ import annotations

import csv
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dplass_cli import sounds
from dplass_cli.audio.reading import Audio, read_mono
from dplass_cli.audio.resampling import resample
from dplass_cli.audio.writing import write_audio
from dplass_cli.storage import write_json
from tiny_models.kinds import Kind

RATE = 32000
SPEEDS = (1.0, 0.88, 1.14)  # change pitch and speed together, as augmentation
SYNTHETIC_SEEDS = 8
# Clips shorter than this are repeated with gaps, as short events occur in recordings.
_SHORT_SECONDS, _SCENE_SECONDS = 2.5, 5.0
_GAP_SECONDS, _LEVEL_DB = (0.2, 1.2), (-3.0, 3.0)


@dataclass(frozen=True)
class Sound:
    """One training sound.

    Attributes:
        wav: path of its 32 kHz copy.
        clip: the clip or built-in sound that it was made from.
        kind: name of its kind of sound.
        recording: what no other fold shares; copies at several speeds have the same one.
        fold: fold of the clip; "" for a built-in sound.
    """

    wav: str
    clip: str
    kind: str
    recording: str
    fold: str

    @property
    def real(self) -> bool:
        """Whether it is a clip, not a built-in sound."""
        return bool(self.fold)


def prepare(
    corpora: Sequence[Path], kinds: Sequence[Kind], work: Path, folds: Collection[str], jobs: int = 1
) -> list[Sound]:
    """Write 32 kHz copies of the clips of some folds and of the built-in sounds, unless that was done before.

    ``jobs`` processes write the copies, which do not depend on their number.
    """
    index = work / "sounds.json"
    if index.exists():
        return [Sound(**entry) for entry in json.loads(index.read_text(encoding="utf-8"))]
    made = [*_clips(corpora, kinds, work / "audio", folds), *_built_in(kinds, work / "audio")]
    copies = [write for sound, write in made if not Path(sound.wav).exists()]
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            list(pool.map(_call, copies, chunksize=8))
    else:
        for write in copies:
            write()
    prepared = [sound for sound, _ in made]
    write_json(index, [asdict(sound) for sound in prepared])
    return prepared


def _call(write: Callable[[], None]) -> None:
    write()


def _clips(
    corpora: Sequence[Path], kinds: Sequence[Kind], output: Path, folds: Collection[str]
) -> Iterator[tuple[Sound, Callable[[], None]]]:
    """Each copy of a clip, and what writes it."""
    kind_of = {category: kind.name for kind in kinds for category in kind.categories}
    for corpus in corpora:
        for row in read_clips(corpus):
            if row["fold"] not in folds:
                continue
            clip = Path(row["filename"]).stem
            recording = f"{corpus.name}:{row.get('recording') or clip}"
            for speed in SPEEDS:
                path = output / corpus.name / f"{clip}_{speed}.wav"
                yield (
                    Sound(str(path), f"{corpus.name}:{clip}", kind_of[row["category"]], recording, row["fold"]),
                    partial(_copy_clip, corpus / "audio" / row["filename"], speed, path),
                )


def _copy_clip(clip: Path, speed: float, path: Path) -> None:
    changed = resample(read_mono(clip, RATE), round(RATE * speed / 100) * 100, RATE)
    scene = _sequence(changed, np.random.default_rng(zlib.crc32(path.name.encode())))
    write_audio(path, scene[None], RATE, "PCM_16")


def _sequence(audio: Audio, rng: np.random.Generator) -> Audio:
    """A short event repeated with random gaps and levels, float32 (T,); longer audio unchanged."""
    if len(audio) >= _SHORT_SECONDS * RATE:
        return audio
    parts: list[Audio] = [audio]
    while sum(map(len, parts)) < _SCENE_SECONDS * RATE:
        gap = np.zeros(round(rng.uniform(*_GAP_SECONDS) * RATE), dtype=np.float32)
        parts += [gap, audio * np.float32(10 ** (rng.uniform(*_LEVEL_DB) / 20))]
    joined = np.concatenate(parts)
    return np.asarray(joined / max(1.0, float(np.abs(joined).max())), dtype=np.float32)


def _built_in(kinds: Sequence[Kind], output: Path) -> Iterator[tuple[Sound, Callable[[], None]]]:
    """Each copy of a built-in sound, and what writes it."""
    kind_of = {name: kind.name for kind in kinds for name in kind.builtin}
    for entry in sounds.CATALOGUE:
        for seed in range(SYNTHETIC_SEEDS):
            path = output / "builtin" / f"{entry.name}_{seed}.wav"
            yield (
                Sound(str(path), path.stem, kind_of[entry.name], path.stem, ""),
                partial(_copy_built_in, entry.name, seed, path),
            )


def _copy_built_in(name: str, seed: int, path: Path) -> None:
    write_audio(path, sounds.render(name, seed, 5.0, RATE)[None], RATE, "PCM_16")


def read_clips(corpus: Path) -> list[dict[str, str]]:
    """The rows of a corpus's ``clips.csv``."""
    with open(corpus / "clips.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def by_kind(found: Sequence[Sound]) -> dict[str, list[int]]:
    """{kind: indices of its sounds}, kinds in alphabetical order."""
    indices: dict[str, list[int]] = defaultdict(list)
    for number, sound in enumerate(found):
        indices[sound.kind].append(number)
    return dict(sorted(indices.items()))
