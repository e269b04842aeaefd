"""The songs of MUSDB18 and their scores: each source in stereo against its stem.

BSSEval v4 as museval computes it (Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign", 2018):
ratios of frames of one second, their median per song, and the median over the songs. Frames in which any of the sources
is silent have none. Its SDR needs no filters: the energy of the stem relative to that of the difference from the
estimate. Its other ratios are museval's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from dplass_cli.audio.reading import Audio, audio_info, read_audio
from dplass_cli.data.prepare.stems import stem_files, unpack_stems
from dplass_cli.encoders.source_names import MUSDB_SOURCES
from dplass_cli.errors import InputError
from dplass_cli.evaluation.items import Item, Recorded, audio_sha256
from dplass_cli.evaluation.metrics import batch_scores, decibels
from dplass_cli.evaluation.scores import SongScore
from dplass_cli.evaluation.table import Figure, Table
from dplass_cli.shards.shard_store import clip_sha256
from dplass_cli.storage import Progress, no_progress, require_folder

SOURCES = MUSDB_SOURCES
MIXTURE = "mixture"
RATIOS = ("sdr_v4", "isr_v4", "sir_v4", "sar_v4")
"""BSSEval v4's ratios in dB, in museval's order: to distortion, image, interference and artefacts."""

Ratios = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Song:
    """A song of MUSDB18.

    Attributes:
        name: of its folder.
        folder: contains the mixture and the stems.
    """

    name: str
    folder: Path

    def stem(self, name: str) -> Path:
        """The file of the mixture or of a stem."""
        return self.folder / f"{name}.wav"

    @property
    def items(self) -> list[Item]:
        """An item per source, named ``SONG/SOURCE``."""
        files = {source: Recorded(self.stem(source), self.stem(MIXTURE)) for source in SOURCES}
        return [Item(f"{self.name}/{source}", source, source, audio) for source, audio in files.items()]


@dataclass(frozen=True)
class LoadedSong:
    """A song's audio.

    Attributes:
        items: one per source.
        sample_rate: Hz.
        mixture: float32 (C, T).
        stems: {source: float32 (C, T)}.
        sha256: {source: hash of its stem and the mixture}.
    """

    items: Sequence[Item]
    sample_rate: int
    mixture: Audio
    stems: Mapping[str, Audio]
    sha256: Mapping[str, str]


def find_songs(root: Path, split: str, unpacked: Path, progress: Progress = no_progress) -> list[Song]:
    """The songs of a split, such as ``test``, in order; stem files are unpacked below ``unpacked`` first.

    Raises:
        InputError: there are none, or a song lacks a stem.
    """
    require_folder(root)
    if files := stem_files(root, split):
        unpack_stems(files, root, unpacked, progress)
        root = unpacked
    folder = root / split if (root / split).is_dir() else root
    folders = [path.parent for path in sorted(folder.glob(f"*/{MIXTURE}.wav"))]
    songs = [Song(path.name.encode(errors="backslashreplace").decode(), path) for path in folders]
    if not songs:
        raise InputError(f"{folder}: contains no songs; expected SONG/{MIXTURE}.wav and stems, or SONG.stem.mp4")
    for song in songs:
        for source in SOURCES:
            if not song.stem(source).is_file():
                raise InputError(f"{song.stem(source)}: is missing; songs consist of {MIXTURE}, {', '.join(SOURCES)}")
    return songs


def require_museval() -> None:
    """Raise InputError if museval is not installed."""
    if importlib.util.find_spec("museval") is None:
        raise InputError("--metric museval: museval is not installed; pip install 'dplass[music]', or leave it out")


def load_song(song: Song) -> LoadedSong:
    """Read a song.

    Raises:
        InputError: a file cannot be read, or a stem has another rate, length or number of channels than the mixture.
    """
    mixture, rate = read_audio(song.stem(MIXTURE))
    stems = {source: _stem(song, source, mixture, rate) for source in SOURCES}
    hashed = cache(clip_sha256)  # the mixture belongs to every item
    items = song.items
    return LoadedSong(items, rate, mixture, stems, {item.query: audio_sha256(item, None, hashed) for item in items})


def _stem(song: Song, source: str, mixture: Audio, rate: int) -> Audio:
    path = song.stem(source)
    info = audio_info(path)
    if (info.sample_rate, info.channels, info.frames) != (rate, *mixture.shape):
        raise InputError(
            f"{path}: {info.frames} samples, {info.channels} channels at {info.sample_rate} Hz, but the mixture has"
            f" {mixture.shape[1]}, {mixture.shape[0]} and {rate}; replace it"
        )
    return read_audio(path)[0]


def score_song(
    song: LoadedSong, estimates: Mapping[str, Audio], run: str, museval: bool = False, seconds: float | None = None
) -> list[SongScore]:
    """Score the estimates of a song's sources; of a silent stem, only the level is known.

    Args:
        song: the song.
        estimates: {source: float32 (C, T)}.
        run: what separated them.
        museval: also compute the ratios that need museval.
        seconds: that separating the song took.

    Returns:
        A score per source. SDR and SI-SDR are of the whole song, the ratios of v4 medians over frames; a ratio is None
        where it is not defined.
    """
    if museval:
        ratios = museval_ratios(song.stems, estimates, song.sample_rate)
    else:
        ratios = frame_sdr(song.stems, estimates, song.sample_rate)[None]
    scores = []
    for number, item in enumerate(song.items):
        reference, estimate = song.stems[item.query], estimates[item.query]
        signals = [torch.from_numpy(audio.reshape(1, -1)) for audio in (reference, estimate, song.mixture)]
        metrics: dict[str, Any] = {
            "level_db": float(decibels(signals[1]) - decibels(signals[2])),
            "seconds": None if seconds is None else seconds / len(song.items),
        }
        if reference.any():
            sdr, si_sdr = (float(value) for value in batch_scores(signals[0], signals[1]))
            sdr_mixture, before = (float(value) for value in batch_scores(signals[0], signals[2]))
            metrics |= {"sdr_mixture": sdr_mixture, "sdr": sdr, "sdri": sdr - sdr_mixture}
            metrics |= {"si_sdr": si_sdr, "si_sdri": si_sdr - before}
            metrics |= {name: _median(values) for name, values in zip(RATIOS, ratios[:, number], strict=False)}
        scores.append(SongScore(item.idx, item.query, run, song.sha256[item.query], **metrics))
    return scores


def frame_sdr(references: Mapping[str, Audio], estimates: Mapping[str, Audio], rate: int) -> Ratios:
    """BSSEval v4's SDR of frames of one second, in dB, of the sources (C, T) in their order.

    Args:
        references: {source: float32 (C, T)}.
        estimates: {source: float32 (C, T)}.
        rate: Hz.

    Returns:
        float64 (sources, frames). As in museval, frames in which any stem or estimate is silent are NaN for all
        sources; sources that are silent throughout are left out.
    """
    samples = len(references[SOURCES[0]][0])
    frames, length = max(1, samples // rate), min(rate, samples)
    ratios = np.full((len(SOURCES), frames), np.nan)
    silent = np.zeros(frames, dtype=bool)
    for number in _audible(references, estimates):
        true, found = (
            signals[SOURCES[number]][:, : frames * length].astype(np.float64).reshape(-1, frames, length)
            for signals in (references, estimates)
        )
        energy, error = (np.square(signal).sum(axis=(0, 2)) for signal in (true, found - true))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios[number] = 10 * np.log10(energy / error)
        silent |= ~(true.sum(axis=0).any(axis=1) & found.sum(axis=0).any(axis=1))
    ratios[:, silent] = np.nan
    return ratios


def museval_ratios(references: Mapping[str, Audio], estimates: Mapping[str, Audio], rate: int) -> Ratios:
    """BSSEval v4 by museval, of the sources (C, T) in their order: float64 (4, sources, frames), as :data:`RATIOS`.

    Sources that are silent throughout are NaN; museval refuses them.
    """
    ratios = np.full((len(RATIOS), len(SOURCES), max(1, len(references[SOURCES[0]][0]) // rate)), np.nan)
    if audible := _audible(references, estimates):
        true, found = (
            np.stack([signals[SOURCES[number]].T for number in audible]).astype(np.float64)
            for signals in (references, estimates)
        )
        *computed, _ = _museval_metrics().bss_eval(true, found, window=rate, hop=rate, compute_permutation=False)
        ratios[:, audible] = computed
    return ratios


def _audible(references: Mapping[str, Audio], estimates: Mapping[str, Audio]) -> list[int]:
    """Numbers of the sources whose stem and estimate are not silent in mono, which is museval's definition."""
    both = [[signals[source].sum(axis=0).any() for signals in (references, estimates)] for source in SOURCES]
    return [number for number, audible in enumerate(both) if all(audible)]


def _museval_metrics() -> ModuleType:
    """museval's module of metrics, without its package, whose import fails where ffmpeg and ffprobe are missing."""
    package = importlib.util.find_spec("museval")
    assert package is not None
    assert package.submodule_search_locations is not None
    file = Path(package.submodule_search_locations[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("museval.metrics", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _median(values: Ratios) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def songs_frame(scores: Iterable[SongScore]) -> pd.DataFrame:
    """The scores of sources that are not silent: ``song``, ``source``, the metrics in dB, and the ``policy``."""
    metrics = ["sdr", "sdri", "si_sdr", *RATIOS]
    rows = [
        (score.idx.rpartition("/")[0], score.query, *(getattr(score, name) for name in metrics), score.run)
        for score in scores
        if score.sdri is not None
    ]
    frame = pd.DataFrame(rows, columns=["song", "source", *metrics, "policy"])
    return frame.astype(dict.fromkeys(metrics, float))


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of each policy and source over the songs.

    Args:
        scores: as :func:`songs_frame` returns them.

    Returns:
        a row per policy and source, in the order of the first song, and one per policy for all sources (their mean):
        means of ``sdr``, ``sdri`` and ``si_sdr``, medians of :data:`RATIOS`, and the number of ``songs``.
    """
    plain = {name: (name, "mean") for name in ("sdr", "sdri", "si_sdr")}
    ratios = {name: (name, "median") for name in RATIOS}
    groups = scores.groupby(["policy", "source"], sort=False)
    table = groups.agg(**plain, **ratios, songs=("song", "nunique")).reset_index()
    whole = table.groupby("policy", sort=False).agg(
        **{name: (name, "mean") for name in (*plain, *ratios)}, songs=("songs", "max")
    )
    return pd.concat([table, whole.reset_index().assign(source="all")], ignore_index=True)


def songs_table(scores: Sequence[Mapping[str, Any]]) -> Table:
    """The rows of :func:`summarise` as a table; ratios that were not computed are left out."""
    ratios = [name for name in RATIOS if any(row[name] is not None for row in scores)]
    names = [*ratios, "sdr", "sdri", "si_sdr"]
    rows = [(row["policy"], row["source"], *(Figure(row[name]) for name in names)) for row in scores]
    note = "v4: BSSEval, median over frames of 1 s, then over songs. SDR, SDRi, SI-SDR: whole songs, mean. All in dB."
    return Table("MUSDB18", ["policy", "source", *(_HEADINGS[name] for name in names)], rows, left=2, note=note)


_HEADINGS = {name: name.replace("_v4", "").upper() + " v4" for name in RATIOS}
_HEADINGS |= {"sdr": "SDR", "sdri": "SDRi", "si_sdr": "SI-SDR"}
