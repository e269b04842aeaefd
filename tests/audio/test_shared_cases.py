"""Recordings as people have them, in ``../shared/cases``: every file has its true length, whoever reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.reading import audio_info, even_blocks, read_audio, read_blocks
from dplass_cli.data.prepare.checking import check_clip

CASES = Path(__file__).parents[3] / "shared" / "cases"
SECONDS = {"joined_three.mp3": 6.0, "joined_1s_3s.ogg": 4.0, "quad_speakers.wav": 1.0}
"""Lengths other than 2 s."""
PADDED = ("phone.m4a", "clip.mp4", "cbr_no_index_ape_cover.mp3")
"""Files that do not say how much their encoder has added."""
NOTES = {"cut_in_half.wav": "truncated"}
FILES = sorted(path for path in CASES.glob("*") if path.suffix != ".md")


@pytest.mark.skipif(not FILES, reason="the recordings (../shared/cases) are not beside this checkout")
def test_the_recordings_are_there() -> None:
    assert set(SECONDS) | set(PADDED) | set(NOTES) <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_reader_finds_the_true_length(path: Path) -> None:
    info = audio_info(path)
    assert info.seconds == pytest.approx(SECONDS.get(path.name, 2.0), abs=0.05 if path.name in PADDED else 1e-9)
    audio, _ = read_audio(path)
    assert audio.shape == (info.channels, info.frames)
    blocks = np.concatenate(list(read_blocks(path, even_blocks(info.frames, 9973))), axis=1)
    np.testing.assert_allclose(blocks, audio, atol=1e-6)
    crashed = "unfinished" if path.name.startswith("recorder_crashed") else ""
    assert info.note == NOTES.get(path.name, crashed)
    for check in ("header", "decode"):
        finding = check_clip(path, check)
        assert (finding.fault, finding.seconds) == (None, info.seconds)
