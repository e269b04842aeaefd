"""Suggestions of what a recording contains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from level_encoder import LevelEncoder

from dplass_cli.audio.reading import audio_info
from dplass_cli.audio.writing import write_audio
from dplass_cli.server.suggestions import suggest


def suggested(folder: Path, audio: np.ndarray, encoder: LevelEncoder) -> list[tuple[str, float]]:  # type: ignore[type-arg]
    path = folder / "recording.wav"
    write_audio(path, audio[None].astype(np.float32), 1000, "FLOAT")
    return [(sound, round(value, 2)) for sound, value in suggest(path, audio_info(path), encoder)]  # type: ignore[arg-type]


def alternating(seconds: float, level: float) -> np.ndarray:  # type: ignore[type-arg]
    return level * (-1.0) ** np.arange(round(1000 * seconds))


def test_a_sound_of_a_moment_is_suggested_too(tmp_path: Path) -> None:
    audio = np.concatenate([alternating(10.0, 0.2), alternating(1.0, 0.9), alternating(10.0, 0.2)])
    assert suggested(tmp_path, audio, LevelEncoder("quiet", "loud")) == [("loud", 0.9), ("quiet", 0.8)]


@pytest.mark.parametrize(("seconds", "count"), [(0.5, 1), (2.5, 1), (5.0, 3), (600.0, 48)])
def test_excerpts_are_spread_over_the_recording(tmp_path: Path, seconds: float, count: int) -> None:
    encoder = LevelEncoder("loud", "quiet")
    suggested(tmp_path, alternating(seconds, 0.5), encoder)
    assert encoder.excerpts == [min(2.5, seconds)] * count


def test_silence_and_encoders_without_a_list_give_no_suggestions(tmp_path: Path) -> None:
    assert suggested(tmp_path, alternating(3.0, 0.0), LevelEncoder("loud", "quiet")) == []
    assert suggested(tmp_path, alternating(3.0, 0.5), LevelEncoder()) == []
