"""Tagging a recording: windows, times, threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from level_encoder import LevelEncoder

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.tagging.labels import SentenceLabels
from dplass_cli.tagging.tagger import RecordingTags, Tagger

RATE = 1000


def recording(folder: Path, *levels: float, seconds: float = 2.0) -> Path:
    """Write a recording whose level changes, each for some seconds."""
    square = [level * (-1.0) ** np.arange(round(RATE * seconds)) for level in levels]
    write_audio(folder / "levels.wav", np.concatenate(square)[None].astype(np.float32), RATE, "FLOAT")
    return folder / "levels.wav"


def tags(path: Path, threshold: float = 0.5, window: float = 1.0, top: int | None = None) -> RecordingTags:
    encoder = LevelEncoder("loud", "quiet")
    labels = SentenceLabels({"LOUD": ("loud",), "QUIET": ("quiet",)}, encoder)
    return Tagger(encoder, labels, threshold, window, top)(path)


def test_sounds_are_listed_with_the_times_at_which_they_reach_the_threshold(tmp_path: Path) -> None:
    found = tags(recording(tmp_path, 0.9, 0.1, 0.9))
    loud, quiet = found.sounds
    assert (loud.sound, loud.calibrated, quiet.sound) == ("LOUD", False, "QUIET")
    # A window is half a second longer than what it stands for, so it hears what is a quarter of a second away.
    assert [(span.start, span.end) for span in loud.spans] == [(0.0, 2.5), (3.5, 6.0)]
    assert [(span.start, span.end) for span in quiet.spans] == [(2.5, 3.5)]
    assert loud.score == pytest.approx(0.9, abs=0.01)
    assert quiet.spans[0].score == pytest.approx(0.9, abs=0.01)


def test_sounds_below_the_threshold_are_not_listed(tmp_path: Path) -> None:
    assert [tag.sound for tag in tags(recording(tmp_path, 0.7), threshold=0.4).sounds] == ["LOUD"]
    assert tags(recording(tmp_path, 0.7), threshold=0.8).sounds == ()


def test_only_the_most_probable_are_listed_where_that_is_asked_for(tmp_path: Path) -> None:
    assert [tag.sound for tag in tags(recording(tmp_path, 0.7), threshold=0.0, top=1).sounds] == ["LOUD"]


def test_silence_contains_no_sound(tmp_path: Path) -> None:
    assert tags(recording(tmp_path, 0.0), threshold=0.0).sounds == ()


@pytest.mark.parametrize(("seconds", "parts"), [(0.3, 1), (1.0, 1), (1.1, 3), (5.0, 10), (20.02, 41)])
def test_windows_cover_the_recording_in_equal_parts(tmp_path: Path, seconds: float, parts: int) -> None:
    path = recording(tmp_path, 0.9, seconds=seconds)
    encoder = LevelEncoder("loud", "quiet")
    batches: list[list[float]] = []
    done: list[int] = []
    tagger = Tagger(encoder, SentenceLabels({"loud": ("loud",)}, encoder), 0.5, 1.0)
    found = tagger(path, progress=lambda at, total, what: (done.append(at), batches.append(encoder.excerpts)))
    excerpts = [length for batch in batches for length in batch]
    assert len(excerpts) == parts
    assert min(excerpts) >= min(seconds, 0.65)
    assert max(excerpts) <= 1.01
    assert [(span.start, span.end) for span in found.sounds[0].spans] == [(0.0, seconds)]
    assert done[-1] == round(seconds * RATE)


def test_a_recording_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, 0.5, seconds=0.2)
    with pytest.raises(InputError, match=rf"^{path}: 0\.20 s are too short to tag; expected at least 0\.25 s$"):
        tags(path)
