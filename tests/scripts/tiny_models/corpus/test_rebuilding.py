"""Making the clip of a row of the table."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from tiny_models.corpus.rebuilding import make_clip
from tiny_models.corpus.sources import Source

RATE = 8000
ROW = Source(
    "1-bell-001.ogg", "1", "bell", "Bell", "/m/1", "a bell", "debian", "p", "1", "a", "bell:1", "MIT", "Ann"
)  # fmt: skip


def recording(seconds: float, level: float = 0.5) -> bytes:
    stream = io.BytesIO()
    audio = level * np.sin(2 * np.pi * 250 * np.arange(round(seconds * RATE)) / RATE)
    soundfile.write(stream, audio, RATE, format="WAV", subtype="FLOAT")
    return stream.getvalue()


def length(row: Source, seconds: float, part: int = 0) -> float:
    return make_clip(row, part, lambda _row, _take: recording(seconds)).audio.size / RATE


def test_a_recording_becomes_a_clip() -> None:
    assert length(ROW, 2.0) == pytest.approx(2.0, abs=0.01)


def test_a_very_short_recording_is_repeated() -> None:
    assert length(ROW, 0.1) > 1.4


def test_a_row_of_several_takes_becomes_a_sequence() -> None:
    made = make_clip(replace(ROW, path="a + b"), 0, lambda _row, _take: recording(1.0))
    assert len(made.takes) == 2
    assert 2.2 <= made.audio.size / RATE <= 3.2


def test_speech_is_cut_after_eight_seconds_and_not_at_its_loudest_part() -> None:
    quiet_then_loud = recording(8.0, 0.1), recording(8.0)
    takes = dict(zip("ab", quiet_then_loud, strict=True))
    row = replace(ROW, path="a + b", recording="speaker:Ann")
    made = make_clip(row, 0, lambda _row, take: takes[take])
    assert made.audio.size == 8 * RATE
    np.testing.assert_allclose(np.abs(made.audio[-RATE:]).max(), 0.9, rtol=0.01)
    assert len(made.takes) == 1


def test_music_is_an_excerpt() -> None:
    assert length(replace(ROW, category="music"), 60.0, part=2) == 7.0


def test_a_part_that_the_recording_lacks_is_an_error() -> None:
    with pytest.raises(ValueError, match="only 2 parts; part 3 was expected"):
        length(ROW, 20.0, part=2)


def test_a_silent_recording_is_an_error() -> None:
    with pytest.raises(ValueError, match="silent"):
        make_clip(ROW, 0, lambda _row, _take: recording(1.0, level=0))


def test_what_does_not_decode_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not decode"):
        make_clip(ROW, 0, lambda _row, _take: b"no audio")


def test_gaps_are_the_same_on_every_run() -> None:
    first, second = (make_clip(ROW, 0, lambda _row, _take: recording(0.1)).audio for _ in range(2))
    np.testing.assert_array_equal(first, second)
