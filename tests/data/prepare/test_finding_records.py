"""Findings of checked clips that are kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.prepare.checking import Finding, check_clips
from dplass_cli.data.prepare.converting import SourceRange
from dplass_cli.data.prepare.finding_records import FindingRecords
from dplass_cli.options.prepare_options import ClipLimits

LIMITS = ClipLimits()


@pytest.fixture
def clips(tmp_path: Path) -> list[SourceRange]:
    """A tone, a range of it, silence, and a file that is missing."""
    for name, level in (("tone", 0.5), ("silence", 0.0)):
        write_audio(tmp_path / f"{name}.wav", level * np.sin(np.arange(1600) / 5)[None].astype(np.float32), 16000)
    names = [str(tmp_path / f"{name}.wav") for name in ("tone", "silence", "gone")]
    return [SourceRange(names[0]), SourceRange(names[0], 0.0, 0.05), SourceRange(names[1]), SourceRange(names[2])]


def checked(clips: list[SourceRange], folder: Path, share: tuple[int, int] = (0, 1)) -> list[Finding]:
    with FindingRecords(folder, "decode", LIMITS, share) as records:
        return list(check_clips(clips, "decode", LIMITS, records))


def test_findings_are_those_of_a_check_and_are_kept(clips: list[SourceRange], tmp_path: Path) -> None:
    plain = list(check_clips(clips, "decode", LIMITS))
    assert checked(clips, tmp_path / "checks") == plain
    with FindingRecords(tmp_path / "checks", "decode", LIMITS, (0, 1)) as records:
        assert [records.get(clip) for clip in clips] == [tuple(finding) for finding in plain]


def test_processes_find_what_others_have_found(clips: list[SourceRange], tmp_path: Path) -> None:
    for rank in range(2):
        checked(clips[rank::2], tmp_path / "checks", (rank, 2))
    with FindingRecords(tmp_path / "checks", "decode", LIMITS, (0, 1)) as records:
        assert None not in [records.get(clip) for clip in clips]


def test_changed_files_and_other_checks_are_checked_again(clips: list[SourceRange], tmp_path: Path) -> None:
    checked(clips, tmp_path / "checks")
    os.utime(clips[2].path, ns=(0, 0))
    with FindingRecords(tmp_path / "checks", "decode", LIMITS, (0, 1)) as records:
        assert records.get(clips[2]) is None
    with FindingRecords(tmp_path / "checks", "decode", ClipLimits(min_rate=8000), (0, 1)) as records:
        assert records.get(clips[0]) is None
