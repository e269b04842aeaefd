"""Tables of two-source mixtures (idx, caption, src_wav, noise_wav, snr_db), which are mixed on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.data.csv_tables import filled_rows
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixer import mix_at_snr
from dplass_cli.errors import InputError
from dplass_cli.records import write_rows

COLUMNS = ("idx", "caption", "src_wav", "noise_wav", "snr_db")
RANGE_COLUMNS = ("src_start", "src_end", "noise_start", "noise_end")


@dataclass(frozen=True)
class Mixture:
    """A mixture of a target and noise.

    Attributes:
        source: the target, described by its caption.
        noise: the noise.
        snr_db: energy ratio of target and noise, in decibels.
        idx: its name in the table.
    """

    source: Row
    noise: Row
    snr_db: float = 0.0
    idx: str = ""


def read_mixtures(path: Path | str, audio_dir: Path | None = None) -> list[Mixture]:
    """Read a mixture table; names are relative to ``audio_dir``, by default the table's folder.

    The columns ``src_start, src_end, noise_start, noise_end`` are optional: the parts of the files in seconds (an empty
    end is the end of the file).

    Raises:
        InputError: the file is missing, lacks a column or has no rows; a field is empty or not a number where one is
            expected (names the line).
    """
    path = Path(path)
    folder = path.parent if audio_dir is None else Path(audio_dir)
    mixtures = []
    for line, row in filled_rows(path, COLUMNS, "a mixture table"):
        where = f"{path}: line {line}"
        source, noise = (
            Row(
                wav=folder / row[f"{side}_wav"],
                caption=row["caption"].strip() if side == "src" else "",
                start=_number(row.get(f"{side}_start") or "0", f"{where}: {side}_start"),
                end=_number(row[f"{side}_end"], f"{where}: {side}_end") if row.get(f"{side}_end") else None,
            )
            for side in ("src", "noise")
        )
        mixtures.append(Mixture(source, noise, _number(row["snr_db"], f"{where}: snr_db"), row["idx"].strip()))
    return mixtures


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where} must be a number, not {text!r}")
    return value


def write_mixtures(path: Path | str, mixtures: Sequence[Mixture]) -> None:
    """Write a mixture table with absolute paths, numbered from 0, and with range columns if any row needs them."""
    ranged = any(row.start or row.end is not None for mixture in mixtures for row in (mixture.source, mixture.noise))
    columns = COLUMNS + RANGE_COLUMNS if ranged else COLUMNS
    rows = []
    for number, mixture in enumerate(mixtures):
        source, noise = mixture.source, mixture.noise
        values = (number, source.caption, source.wav.absolute(), noise.wav.absolute(), mixture.snr_db)
        rows.append(dict(zip(columns, (*values, source.start, source.end, noise.start, noise.end), strict=False)))
    write_rows(path, columns, rows)


def render(
    mixture: Mixture, sample_rate: int, seconds: float = 5.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Read and mix a row at a sample rate in Hz.

    Both clips are read as mono, cut or zero-padded at the end, mixed at the row's energy ratio and declipped together.

    Returns:
        (mixture, target), float32 (T,).

    Raises:
        InputError: a clip cannot be read.
    """
    length = round(seconds * sample_rate)
    source, noise = (
        torch.from_numpy(fit_length(read_mono(row.wav, sample_rate, row.start, row.end), length))[None]
        for row in (mixture.source, mixture.noise)
    )
    mixed, target = mix_at_snr(source, noise, torch.tensor([mixture.snr_db]))
    return mixed[0].numpy(), target[0].numpy()
