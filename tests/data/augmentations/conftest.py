"""Scenes that the augmentations are tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.augmentations import Scene

RATE = 8000


@pytest.fixture
def scene() -> Scene:
    """Three sources of noise, a second each; another clip of the target's caption is constantly 1."""
    noise = np.random.default_rng(0).standard_normal((3, RATE)).astype(np.float32)
    return Scene(noise, RATE, lambda: np.ones(RATE, np.float32))


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """A room: the direct sound after 10 samples, an echo 100 samples later."""
    response = np.zeros((1, 400), np.float32)
    response[0, 10], response[0, 110] = 0.5, 0.25
    write_audio(tmp_path / "rooms" / "room.wav", response, RATE, "FLOAT")
    return tmp_path / "rooms"
