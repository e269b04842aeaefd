"""The timeline of a tagged recording."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.image import imread

from dplass_cli.reports.tag_timeline import timeline
from dplass_cli.tagging.tagger import RecordingTags, Tag, TagSpan

BLUE = np.array([0x1F, 0x6F, 0xEB]) / 255


def blue_columns(tags: RecordingTags) -> np.ndarray:  # type: ignore[type-arg]
    """The columns of the picture that contain a bar with score 1."""
    pixels = imread(io.BytesIO(timeline(tags, "mix.wav $1")))[..., :3]
    return np.flatnonzero((np.abs(pixels - BLUE) < 0.02).all(axis=2).any(axis=0))


def test_a_bar_shows_when_a_sound_is_there() -> None:
    whole = blue_columns(RecordingTags(4.0, (Tag("Rain", 1.0, True, (TagSpan(0.0, 4.0, 1.0),)),)))
    half = blue_columns(RecordingTags(4.0, (Tag("Rain", 1.0, True, (TagSpan(2.0, 4.0, 1.0),)),)))
    assert abs(len(half) - len(whole) / 2) <= 3
    assert half[-1] == whole[-1]


def test_a_recording_without_sounds_is_drawn_without_bars() -> None:
    assert len(blue_columns(RecordingTags(4.0, ()))) == 0
