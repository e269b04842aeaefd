"""What preparing a corpus returns, prints with ``--json`` and shows in its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ClassCount:
    """How often a class occurs.

    Attributes:
        used: rows of the class in the manifest.
        rejected: rejected clips of the class, or rows where a clip lost only some of its captions.
    """

    used: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class AudioSummary:
    """Properties of the used clips, from their headers.

    Attributes:
        hours: total length.
        sample_rates: {Hz: clips}, the most frequent first.
        channels: {channels: clips}, likewise.
    """

    hours: float
    sample_rates: dict[int, int]
    channels: dict[int, int]


@dataclass(frozen=True)
class PuritySummary:
    """Purity of the clips that were scored.

    Attributes:
        clips: their number.
        mean: of their scores.
        below: how many were rejected.
    """

    clips: int
    mean: float
    below: int


@dataclass(frozen=True)
class PrepareResult:
    """Result of :func:`~dplass_cli.data.prepare.preparation.prepare`.

    Attributes:
        manifest: the manifest.
        rejects: the list of clips that are not used, with the reasons.
        segments: clips asked for.
        used_clips: clips in the manifest.
        rows: rows in the manifest.
        rejected: {reason: lines of ``rejects``}.
        classes: counts by class name, the most frequent first; empty where captions are sentences.
        audio: None where nothing was checked.
        cleaned: {"before -> after": how often} of corrected captions.
        converted: {"made", "found", "turned_down"}: copies made now, made by an earlier run, attenuated to full scale.
        report: the HTML page, where one was asked for.
        purity: None where nothing was scored.
        complete: the manifest is written; not by one of several processes, which checks and converts its share.
    """

    manifest: Path
    rejects: Path
    segments: int
    used_clips: int
    rows: int
    rejected: dict[str, int]
    classes: dict[str, ClassCount]
    audio: AudioSummary | None = None
    cleaned: dict[str, int] = field(default_factory=dict)
    converted: dict[str, int] = field(default_factory=dict)
    report: Path | None = None
    purity: PuritySummary | None = None
    complete: bool = True
