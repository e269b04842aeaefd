"""Spectrograms of audio in memory: levels, and pictures without axes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dplass_cli.audio.spectrograms import spectrogram_db, spectrogram_png

RATE = 8000
TONE = np.sin(np.arange(RATE) * 2 * np.pi * 1000 / RATE).astype(np.float32)


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    opened: tuple[int, int] = Image.open(io.BytesIO(png)).size
    return opened


def test_the_level_falls_by_20_db_for_a_tenth_of_the_amplitude() -> None:
    assert spectrogram_db(TONE).max() - spectrogram_db(TONE / 10).max() == pytest.approx(20.0, abs=1e-3)


def test_a_tone_is_loudest_at_its_frequency() -> None:
    assert spectrogram_db(TONE)[5].argmax() == 1000 * 1024 // RATE


def test_the_level_of_silence_is_finite() -> None:
    assert spectrogram_db(np.zeros(RATE, np.float32)).max() == pytest.approx(-120.0)


def test_audio_shorter_than_a_frame_is_drawn() -> None:
    assert size(spectrogram_png(spectrogram_db(np.zeros(10, np.float32)), 0.0, (480, 120))) == (3, 120)


def test_pictures_of_long_audio_have_the_size_asked_for() -> None:
    assert size(spectrogram_png(spectrogram_db(np.tile(TONE, 60)), 0.0, (480, 120))) == (480, 120)
