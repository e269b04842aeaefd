"""Resampling between any two rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from systems import needs_proc
from torchaudio.functional import resample as reference

from dplass_cli.audio import resampling
from dplass_cli.audio.resampling import resample


@pytest.mark.parametrize(("source", "target"), [(44100, 32000), (32000, 44100), (8000, 11025), (96000, 32000)])
def test_both_ways_are_the_same_filter(source: int, target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = np.random.default_rng(0).standard_normal((2, 5001)).astype(np.float32)
    wanted = reference(torch.from_numpy(audio), source, target).numpy()
    np.testing.assert_allclose(resample(audio, source, target), wanted, atol=1e-4)
    monkeypatch.setattr(resampling, "_LARGEST_TABLE", 0)
    monkeypatch.setattr(resampling, "_BLOCK", 20_000)
    found = resample(audio, source, target)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)  # torchaudio takes the phases in float32


@pytest.mark.parametrize(("source", "target"), [(48999, 32000), (32000, 8001), (191999, 32000)])
def test_rates_without_a_common_divisor_need_no_table(source: int, target: int) -> None:
    time = np.arange(source // 2) / source
    resampled = resample(np.sin(2 * np.pi * 440 * time).astype(np.float32)[None], source, target)
    again = np.arange(resampled.shape[1]) / target
    inner = slice(200, -200)
    assert resampled.shape == (1, -(-(source // 2) * target // source))
    np.testing.assert_allclose(resampled[0, inner], np.sin(2 * np.pi * 440 * again)[inner], atol=2e-3)


@pytest.mark.parametrize(("source", "target"), [(44100, 32000), (8000, 32000), (32000, 44100)])
def test_resampling_keeps_tone_and_level(source: int, target: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(source) / source).astype(np.float32)
    there = resample(tone, source, target)
    assert len(there) == target
    expected = np.sin(2 * np.pi * 1000 * np.arange(target) / target)
    np.testing.assert_allclose(there[200:-200], expected[200:-200], atol=1e-2)


@needs_proc
def test_a_rate_without_divisors_takes_no_gigabytes() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resample(np.zeros(200_000, np.float32), 999_983, 32000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
