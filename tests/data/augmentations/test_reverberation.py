"""Reverberation: the direct sound keeps its time, a source its energy and length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.data.augmentations import Scene, reverberate
from dplass_cli.errors import InputError
from dplass_cli.options.augmentation_settings import ReverberationSettings


def click(length: int = 8000) -> Scene:
    """A click at 1000 samples."""
    sources = np.zeros((1, length), np.float32)
    sources[0, 1000] = 1.0
    return Scene(sources, 8000, lambda: None)


def test_the_direct_sound_keeps_its_time_and_the_echo_follows_at_its_level(responses: Path) -> None:
    (wet,) = reverberate(ReverberationSettings(responses, 1.0), click(), np.random.default_rng(0))
    assert np.flatnonzero(np.abs(wet) > 1e-4).tolist() == [1000, 1100]
    assert wet[1100] / wet[1000] == pytest.approx(0.5, abs=1e-4)


def test_each_source_keeps_its_energy(scene: Scene, responses: Path) -> None:
    wet = reverberate(ReverberationSettings(responses, 1.0), scene, np.random.default_rng(0))
    assert not np.allclose(wet, scene.sources, atol=0.1)
    np.testing.assert_allclose(np.square(wet).sum(axis=1), np.square(scene.sources).sum(axis=1), rtol=1e-4)


def test_an_echo_after_the_end_is_cut_off(responses: Path) -> None:
    wet = reverberate(ReverberationSettings(responses, 1.0), click(1050), np.random.default_rng(0))
    assert wet.shape == (1, 1050)
    assert np.flatnonzero(np.abs(wet[0]) > 1e-4).tolist() == [1000]


def test_silence_stays_silent(responses: Path) -> None:
    silence = Scene(np.zeros((1, 100), np.float32), 8000, lambda: None)
    assert not reverberate(ReverberationSettings(responses, 1.0), silence, np.random.default_rng(0)).any()


def test_a_missing_folder_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        reverberate(ReverberationSettings(tmp_path / "gone", 1.0), scene, np.random.default_rng(0))


def test_a_folder_without_audio_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no audio files"):
        reverberate(ReverberationSettings(tmp_path, 1.0), scene, np.random.default_rng(0))
