"""The report on rebuilt clips, and the ``clips.csv`` of a rebuilt corpus."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pandas as pd
import soundfile

from tiny_models.corpus.sources import PYPI, Source


class Status(str, Enum):
    """Outcome of rebuilding a clip."""

    REBUILT = "rebuilt"  # not compared
    ALIKE = "alike"
    DIFFERENT = "different"
    RENDERED = "rendered"  # another phrase by the same description
    GONE = "gone"  # the package or the file is no longer available, or does not decode


@dataclass(frozen=True)
class Outcome:
    """Result of rebuilding one clip.

    Attributes:
        filename: name of the clip.
        package: its package.
        status: outcome.
        length_ratio: length divided by that of the existing clip; None: not compared.
        correlation: largest normalised cross-correlation with the existing clip; None: not compared.
        version: version of the package that was used; empty if there was none.
        note: why the clip is gone, or that the stated version is; empty otherwise.
    """

    filename: str
    package: str
    status: Status
    length_ratio: float | None = None
    correlation: float | None = None
    version: str = ""
    note: str = ""


def read_report(output: Path) -> dict[str, Outcome]:
    """The outcomes of earlier runs by clip; empty if there are none."""
    path = output / "report.csv"
    if not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        return {row["filename"]: _outcome(row) for row in csv.DictReader(stream)}


def _outcome(row: dict[str, str]) -> Outcome:
    ratio, correlation = (float(row[name]) if row[name] else None for name in ("length_ratio", "correlation"))
    status = Status(row["status"])
    return Outcome(row["filename"], row["package"], status, ratio, correlation, row["version"], row["note"])


def write_report(output: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Write the outcome of every clip to ``report.csv``."""
    rows = [{**vars(outcome), "status": outcome.status.value} for _, outcome in sorted(outcomes.items())]
    pd.DataFrame(rows).to_csv(output / "report.csv", index=False)


def summary(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Number of clips of each outcome by package."""
    packages = pd.Series([outcome.package for outcome in outcomes], name="package")
    statuses = pd.Series([outcome.status.value for outcome in outcomes])
    counts = pd.crosstab(packages, statuses).reindex(columns=[status.value for status in Status], fill_value=0)
    return counts.reset_index()


def write_clips(output: Path, sources: Iterable[Source]) -> None:
    """Write ``clips.csv`` for the clips that were rebuilt, in the columns that training reads."""
    rows = []
    for source in sources:
        audio = output / "audio" / source.filename
        if not audio.exists():
            continue
        info = soundfile.info(audio)
        rows.append({
            "filename": source.filename,
            "fold": source.fold,
            "category": source.category,
            "audioset_label": source.audioset_label,
            "mid": source.mid,
            "captions": source.captions,
            "source": source.package + (PYPI if source.registry == "pypi" else ""),
            "source_path": source.path,
            "recording": source.recording,
            "same_package": 0,
            "licence": source.licence,
            "attribution": source.attribution,
            "seconds": round(info.duration, 3),
            "sample_rate": info.samplerate,
        })  # fmt: skip
    pd.DataFrame(rows).to_csv(output / "clips.csv", index=False)
