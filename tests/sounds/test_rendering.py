"""Rendered clips: valid, repeatable, varied, and distinct enough for a simple classifier."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from dplass_cli.errors import InputError
from dplass_cli.sounds import CATALOGUE, render

NAMES = [each.name for each in CATALOGUE]
EDGES = np.geomspace(40, 8000, 33)  # Hz, of the bands of the classifier's features
FRAME = 512  # samples, at 16 kHz


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample_rate", [16000, 32000])
def test_every_class_renders_valid_audio(name: str, sample_rate: int) -> None:
    clip = render(name, 3, seconds=1.0, sample_rate=sample_rate)
    assert clip.dtype == np.float32
    assert clip.shape == (sample_rate,)
    assert np.isfinite(clip).all()
    assert 0.29 < np.abs(clip).max() < 0.91
    assert np.sqrt(np.mean(clip**2)) > 0.003


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_clip(name: str) -> None:
    first = render(name, 0, seconds=1.0, sample_rate=16000)
    assert np.array_equal(first, render(name, 0, seconds=1.0, sample_rate=16000))
    other = render(name, 1, seconds=1.0, sample_rate=16000)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.9  # another clip, not the same one at another level


@pytest.mark.parametrize("name", NAMES)
def test_no_clip_is_mostly_silent(name: str) -> None:
    clip = render(name, 2, seconds=4.0, sample_rate=16000)
    frames = clip.reshape(-1, 1600)  # 100 ms each
    levels = np.sqrt(np.mean(frames**2, axis=1))
    assert np.mean(levels > 1e-3 * np.abs(clip).max()) >= 0.5
    # Nor does it stop early: every quarter of the clip has an audible event.
    assert all(quarter.max() > 0.02 * levels.max() for quarter in np.split(levels, 4))


def test_defaults_are_five_seconds_at_32_khz() -> None:
    assert render("dog_bark", 0).shape == (160000,)


def test_a_clip_is_the_same_in_another_process() -> None:
    code = "from dplass_cli.sounds import render; print(repr(float(render('siren', 7, 0.5, 16000)[4321])))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert float(result.stdout) == pytest.approx(float(render("siren", 7, 0.5, 16000)[4321]), rel=1e-6)


def test_an_unknown_name_is_corrected() -> None:
    with pytest.raises(InputError, match=r"sound dog_barks: must be one of .*; did you mean 'dog_bark'\?"):
        render("dog_barks", 0)


@pytest.mark.parametrize(
    ("seed", "seconds", "rate"), [(-1, 1.0, 16000), (0, 0.0, 16000), (0, float("nan"), 16000), (0, 1.0, 0)]
)
def test_numbers_out_of_range_are_refused(seed: int, seconds: float, rate: int) -> None:
    with pytest.raises(ValueError, match="must"):
        render("siren", seed, seconds, rate)


@cache
def features(name: str, seed: int) -> npt.NDArray[np.float64]:
    """Mean and standard deviation over time of the log power in 32 bands; float64 (64,)."""
    clip = render(name, seed, seconds=3.0, sample_rate=16000).astype(np.float64)
    clip /= np.sqrt(np.mean(clip**2))
    frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    band = np.searchsorted(EDGES, np.fft.rfftfreq(FRAME, 1 / 16000)) - 1
    levels = np.stack([power[:, band == index].sum(axis=1) for index in range(32) if (band == index).any()], axis=1)
    levels = np.log10(levels + 1e-4)
    return np.concatenate([levels.mean(axis=0), levels.std(axis=0)])


def test_a_nearest_centroid_classifier_distinguishes_the_classes() -> None:
    train = np.array([[features(name, seed) for seed in range(6)] for name in NAMES])
    test = np.array([[features(name, seed) for seed in range(100, 104)] for name in NAMES])
    spread = train.std(axis=(0, 1)) + 1e-6
    centroids = train.mean(axis=1) / spread
    distances = np.linalg.norm(test[:, :, None] / spread - centroids, axis=-1)
    found = distances.argmin(axis=-1)
    accuracy = float(np.mean(found == np.arange(len(NAMES))[:, None]))
    confused = [(NAMES[i], NAMES[j]) for i in range(len(NAMES)) for j in found[i] if i != j]
    assert accuracy >= 0.85, f"accuracy {accuracy:.3f}; confused: {confused}"
