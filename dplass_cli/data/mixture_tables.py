"""Tables of mixtures (idx, caption, src_wav, noise_wav, snr_db), which are mixed on demand.

A mixture of more than two sources has its other noises in the columns ``noise2_wav``, ``noise3_wav`` and so on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dplass_cli.audio.reading import fit_length, read_channels, read_mono
from dplass_cli.data.csv_tables import filled_rows, header_and_rows
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixer import add_at_same_energy, mix_at_snr
from dplass_cli.errors import InputError, shown
from dplass_cli.file_names import existing_path
from dplass_cli.records import write_rows
from dplass_cli.shards.addresses import address, located
from dplass_cli.storage import require_file

COLUMNS = ("idx", "caption", "src_wav", "noise_wav", "snr_db")
_MAX_SNR_DB = 200.0  # of float32, so that neither source vanishes or overflows
_FURTHER_NOISE = re.compile(r"noise(\d+)_wav")


@dataclass(frozen=True)
class Mixture:
    """A mixture of a target and noise.

    Attributes:
        source: the target, described by its caption.
        noise: the noise.
        snr_db: energy ratio of target and noise, in decibels; where there are several noises, of target and their sum.
        idx: its name in the table.
        further_noises: other noises, each with the energy of the first.
    """

    source: Row
    noise: Row
    snr_db: float = 0.0
    idx: str = ""
    further_noises: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The target and its noises."""
        return (self.source, self.noise, *self.further_noises)


def read_mixtures(path: Path | str, audio_dir: Path | None = None) -> list[Mixture]:
    """Read a mixture table; names are relative to ``audio_dir``, by default the table's folder.

    The columns ``src_start, src_end, noise_start, noise_end`` are optional: the parts of the files in seconds (an empty
    end is the end of the file). So are ``noise2_wav, noise2_start, noise2_end`` and those of further noises; a row in
    which ``noise2_wav`` is empty has no second noise.

    Raises:
        InputError: the file is missing, lists clips and not mixtures, lacks a column or has no rows; a field is empty
            or not a number where one is expected (names the line).
    """
    path = Path(path)
    _check_lists_mixtures(path)
    folder = path.parent if audio_dir is None else Path(audio_dir)
    mixtures = []
    for line, row in filled_rows(path, COLUMNS, "a mixture table"):
        where = f"{path}: line {line}"
        further = sorted((int(found[1]), name) for name in row if (found := _FURTHER_NOISE.fullmatch(name)))
        sides = ["src", "noise", *(f"noise{number}" for number, name in further if row[name])]
        source, noise, *noises = (
            Row(
                wav=existing_path(located(folder, row[f"{side}_wav"])),
                caption=row["caption"].strip() if side == "src" else "",
                start=_number(row.get(f"{side}_start") or "0", f"{where}: {side}_start"),
                end=_number(row[f"{side}_end"], f"{where}: {side}_end") if row.get(f"{side}_end") else None,
            )
            for side in sides
        )
        snr_db = _number(row["snr_db"], f"{where}: snr_db")
        if abs(snr_db) > _MAX_SNR_DB:
            raise InputError(f"{where}: snr_db must be within ±{_MAX_SNR_DB:g} dB, not {shown(row['snr_db'])}")
        mixtures.append(Mixture(source, noise, snr_db, row["idx"].strip(), tuple(noises)))
    return mixtures


def _check_lists_mixtures(path: Path) -> None:
    manifest = require_file(path).suffix.lower() in (".json", ".jsonl")
    columns = [] if manifest else header_and_rows(path)[0]
    if manifest or ("caption" in columns and "src_wav" not in columns and "noise_wav" not in columns):
        raise InputError(
            f"{path}: lists captions and no mixtures, whose sources must be known; make a table of mixtures with"
            " dplass prepare mixtures MANIFEST --output mixtures.csv"
        )


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where} must be a number, not {text!r}")
    return value


def write_mixtures(path: Path | str, mixtures: Sequence[Mixture]) -> None:
    """Write a mixture table with absolute paths, numbered from 0.

    It has columns of ranges and of further noises only if a row needs them.
    """
    sources = max((len(mixture.rows) for mixture in mixtures), default=2)
    sides = ["src", "noise", *(f"noise{number}" for number in range(2, sources))]
    columns = [*COLUMNS, *(f"{side}_wav" for side in sides[2:])]
    if any(row.start or row.end is not None for mixture in mixtures for row in mixture.rows):
        columns += [f"{side}_{edge}" for side in sides for edge in ("start", "end")]
    rows = []
    for number, mixture in enumerate(mixtures):
        values = dict.fromkeys(columns, "") | {
            "idx": str(number),
            "caption": mixture.source.caption,
            "snr_db": str(mixture.snr_db),
        }
        for side, row in zip(sides, mixture.rows, strict=False):
            values[f"{side}_wav"] = address(row.wav)
            values[f"{side}_start"], values[f"{side}_end"] = str(row.start), "" if row.end is None else str(row.end)
        rows.append({column: values[column] for column in columns})
    write_rows(path, columns, rows)


def render(
    mixture: Mixture, sample_rate: int, seconds: float = 5.0, channels: int = 1
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Read and mix a row at a sample rate in Hz.

    All clips are read as mono, or with a number of channels above 1, cut or zero-padded at the end, mixed at the row's
    energy ratio and declipped together. Several noises are brought to the same energy before they are added up.

    Returns:
        (mixture, target), float32 (T,), or (C, T) with several channels.

    Raises:
        InputError: a clip cannot be read.
    """
    length = round(seconds * sample_rate)
    clips = [
        fit_length(
            read_mono(row.wav, sample_rate, row.start, row.end)
            if channels == 1
            else read_channels(row.wav, sample_rate, channels, row.start, row.end),
            length,
        )
        for row in mixture.rows
    ]
    # Energies and peaks are those of all channels together.
    source, *noises = (torch.from_numpy(clip.reshape(1, -1)) for clip in clips)
    noise = noises[0] if len(noises) == 1 else add_at_same_energy(torch.cat(noises))[None]
    mixed, target = mix_at_snr(source, noise, torch.tensor([mixture.snr_db]))
    return mixed.numpy().reshape(clips[0].shape), target.numpy().reshape(clips[0].shape)
