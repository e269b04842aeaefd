"""SpecAugment masks: zeros in the same bands and stretches of all sources."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.audio.reading import Audio
from dplass_cli.data.augmentations import Scene, mask_scene
from dplass_cli.options.augmentation_settings import MaskingSettings

RATE = 8000
TONE = np.sin(np.arange(RATE) * 0.5).astype(np.float32)
OVER_TIME = MaskingSettings(1.0, time_masks=1, time_seconds=0.3, frequency_masks=0)
OVER_FREQUENCY = MaskingSettings(1.0, time_masks=0, frequency_masks=1, frequency_share=0.3)


def masked(settings: MaskingSettings, sources: Audio, times: int = 30) -> list[Audio]:
    rng = np.random.default_rng(1)
    return [mask_scene(settings, Scene(sources, RATE, lambda: None), rng) for _ in range(times)]


def quiet_seconds(audio: Audio) -> float:
    """Time whose level is below 5% of full scale, in blocks of 25 ms."""
    return float((np.abs(audio.reshape(-1, 200)).max(axis=1) < 0.05).sum() * 200 / RATE)


def test_a_mask_over_time_silences_a_stretch_no_longer_than_the_longest() -> None:
    quiet = [quiet_seconds(sources[0]) for sources in masked(OVER_TIME, TONE[None])]
    assert 0.1 < max(quiet) <= 0.3


def test_a_mask_over_frequency_removes_a_band_no_wider_than_its_share(scene: Scene) -> None:
    removed = []
    for sources in masked(OVER_FREQUENCY, scene.sources):
        spectrum = np.abs(np.fft.rfft(sources[0] * np.hanning(RATE)))
        whole = np.abs(np.fft.rfft(scene.sources[0] * np.hanning(RATE)))
        bands = spectrum[:4000].reshape(100, 40).mean(axis=1) / whole[:4000].reshape(100, 40).mean(axis=1)
        removed.append(float((bands < 0.1).mean()))
    assert 0.1 < max(removed) <= 0.31


def test_all_sources_lose_the_same_cells() -> None:
    for sources in masked(OVER_TIME, np.stack([TONE, 2 * TONE])):
        np.testing.assert_allclose(2 * sources[0], sources[1], atol=1e-5)


def test_without_masks_the_sources_come_back() -> None:
    (sources,) = masked(MaskingSettings(1.0, time_masks=0, frequency_masks=0), TONE[None], 1)
    np.testing.assert_allclose(sources[0], TONE, atol=1e-5)


def test_sources_shorter_than_a_frame_are_not_changed() -> None:
    (sources,) = masked(OVER_TIME, TONE[None, :1024], 1)
    np.testing.assert_array_equal(sources[0], TONE[:1024])


def test_a_probability_above_1_is_refused() -> None:
    with pytest.raises(ValueError, match="probability"):
        MaskingSettings(1.5)
