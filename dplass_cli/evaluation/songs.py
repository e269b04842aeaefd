"""MUSDB18: whole songs in stereo, each source separated by its name and compared with its stem.

BSSEval v4 as museval computes it (Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign", 2018):
ratios of frames of one second, their median per song, and the median over the songs. Its SDR needs no filters: the
energy of the stem relative to that of the difference from the estimate. Its other ratios are museval's own.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from dplass_cli.audio.reading import Audio, audio_info, read_audio
from dplass_cli.data.prepare.stems import stem_files, unpack_stems
from dplass_cli.encoders.source_names import MUSDB_SOURCES
from dplass_cli.errors import InputError
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.evaluation.table import Figure, Table
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import Selection, default_selection, make_policy, parse_selection
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.windows import CORE_SECONDS
from dplass_cli.storage import Progress, no_progress, require_folder

SOURCES = MUSDB_SOURCES
MIXTURE = "mixture"
RATIOS = ("sdr_v4", "isr_v4", "sir_v4", "sar_v4")
"""BSSEval v4's ratios in dB, in museval's order: to distortion, image, interference and artefacts."""

Ratios = npt.NDArray[np.float64]

SeparateSong = Callable[[Audio, int], dict[str, Audio]]
"""(song float32 (C, T), Hz) -> {source: estimate float32 (C, T)}."""


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
    songs = [Song(path.parent.name, path.parent) for path in sorted(folder.glob(f"*/{MIXTURE}.wav"))]
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


def score_song(song: Song, separate: SeparateSong, museval: bool = False) -> pd.DataFrame:
    """Separate a song and score each source that is not silent throughout.

    Args:
        song: the song.
        separate: yields the estimates.
        museval: also compute the ratios that need museval.

    Returns:
        a row per source: song, source, ``sdr``, ``sdri``, ``si_sdr`` of the whole song over all channels, and
        :data:`RATIOS`, medians over frames, in dB; NaN where a ratio is not computed or not defined.

    Raises:
        InputError: a file cannot be read, or a stem has another rate, length or number of channels than the mixture.
        RunError: an estimate contains NaN or infinity.
    """
    mixture, rate = read_audio(song.stem(MIXTURE))
    references = {source: _stem(song, source, mixture, rate) for source in SOURCES}
    estimates = separate(mixture, rate)
    ratios = museval_ratios(references, estimates, rate) if museval else None
    rows = []
    for number, (source, reference) in enumerate(references.items()):
        if not reference.any():
            continue
        signals = [torch.from_numpy(audio.reshape(1, -1)) for audio in (reference, estimates[source], mixture)]
        sdr, si_sdr = (float(value) for value in batch_scores(signals[0], signals[1]))
        before = float(batch_scores(signals[0], signals[2])[0])
        row = {"song": song.name, "source": source, "sdr": sdr, "sdri": sdr - before, "si_sdr": si_sdr}
        row |= dict.fromkeys(RATIOS, float("nan"))
        row["sdr_v4"] = _median(frame_sdr(reference, estimates[source], rate))
        if ratios is not None:
            row |= {name: _median(ratios[position, number]) for position, name in enumerate(RATIOS)}
        rows.append(row)
    return pd.DataFrame(rows, columns=["song", "source", "sdr", "sdri", "si_sdr", *RATIOS])


def _stem(song: Song, source: str, mixture: Audio, rate: int) -> Audio:
    path = song.stem(source)
    info = audio_info(path)
    if (info.sample_rate, info.channels, info.frames) != (rate, *mixture.shape):
        raise InputError(
            f"{path}: {info.frames} samples, {info.channels} channels at {info.sample_rate} Hz, but the mixture has"
            f" {mixture.shape[1]}, {mixture.shape[0]} and {rate}; replace it"
        )
    return read_audio(path)[0]


def frame_sdr(reference: Audio, estimate: Audio, rate: int) -> Ratios:
    """BSSEval v4's SDR of frames of one second, in dB: float64 (frames,), NaN where either signal is silent.

    Args:
        reference: float32 (C, T).
        estimate: float32 (C, T).
        rate: Hz.
    """
    frames = max(1, reference.shape[1] // rate)
    length = min(rate, reference.shape[1])
    true, found = (
        signal[:, : frames * length].astype(np.float64).reshape(len(signal), frames, length)
        for signal in (reference, estimate)
    )
    energy, error = (np.square(signal).sum(axis=(0, 2)) for signal in (true, found - true))
    silent = (energy == 0) | (np.square(found).sum(axis=(0, 2)) == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(silent, np.nan, 10 * np.log10(energy / error))


def museval_ratios(references: Mapping[str, Audio], estimates: Mapping[str, Audio], rate: int) -> Ratios:
    """BSSEval v4 by museval, of the sources (C, T) in their order: float64 (4, sources, frames), as :data:`RATIOS`."""
    museval = importlib.import_module("museval")
    true, found = (np.stack([signals[source].T for source in SOURCES]) for signals in (references, estimates))
    return np.stack(museval.evaluate(true, found, win=rate, hop=rate, mode="v4"))


def _median(values: Ratios) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of each policy and source over the songs.

    Args:
        scores: rows of :func:`score_song` with a column ``policy``.

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


def song_separators(models: Models, select: Sequence[str] | None, spec: ModelSpec) -> dict[str, SeparateSong]:
    """How songs are separated under each policy, {its name: the function}.

    Without ``select`` they are the base and, with adapters, the policy that ``separate`` would use.

    Raises:
        InputError: an unknown policy, or one that lacks what it requires or needs the reference.
    """
    bank = models.bank
    default = [Selection("base"), *([default_selection(spec.base, bank)] if bank.keys else [])]
    chosen = default if select is None else [parse_selection(name, bank) for name in select]

    def of(selection: Selection) -> SeparateSong:
        policy, refine = make_policy(selection.policy), selection.refine or "none"
        separator = Separator(  # windows that do not depend on the machine: an evaluation may resume on another
            bank, models.encoder, policy, precision=spec.precision, refine=refine, window=CORE_SECONDS
        )
        separator.check(SOURCES)
        return lambda song, rate: separator(song, rate, SOURCES)

    return {selection.name: of(selection) for selection in chosen}


def score_songs(
    songs: Sequence[Song], separators: dict[str, SeparateSong], museval: bool, progress: Progress = no_progress
) -> pd.DataFrame:
    """Score every song under every policy, {name: how it separates}: rows of :func:`score_song` with ``policy``."""
    parts = []
    for number, song in enumerate(songs):
        progress(number, len(songs), song.name)
        for policy, separate in separators.items():
            parts.append(score_song(song, separate, museval).assign(policy=policy))
    progress(len(songs), len(songs), "songs")
    return pd.concat(parts, ignore_index=True)
