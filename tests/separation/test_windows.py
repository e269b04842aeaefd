"""Windows cover the audio once, and their contexts make local filters seamless."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config
from dplass_cli.separation.windows import (
    WindowLayout,
    audio_windows,
    before_grid,
    file_windows,
    fitting_windows,
    longer_windows,
    sections,
    window_layout,
    windows,
)

SIZES = {"length": st.integers(1, 400), "core": st.integers(1, 60), "context": st.integers(0, 30)}


@given(**SIZES)
def test_windows_cover_each_sample_once(length: int, core: int, context: int) -> None:
    all_windows = list(windows(length, core, context))
    assert [sample for w in all_windows for sample in range(w.first, w.last)] == list(range(length))
    for w in all_windows:
        assert 0 <= w.start <= w.first < w.last <= w.stop <= length
        assert w.start == 0 or w.first - w.start == context
        assert w.stop == length or w.stop - w.last == context


@given(**SIZES)
def test_a_filter_no_longer_than_the_context_is_seamless(length: int, core: int, context: int) -> None:
    audio = np.sin(np.arange(float(length), dtype=np.float32))[None]
    kernel = np.ones(2 * context + 1)
    kept = [
        np.convolve(np.pad(samples[0], context), kernel, "valid")[window.kept]
        for window, samples in audio_windows(audio, WindowLayout(core, context))
    ]
    np.testing.assert_allclose(np.concatenate(kept), np.convolve(np.pad(audio[0], context), kernel, "valid"), atol=1e-4)


@given(most=st.integers(1, 4), **SIZES)
def test_longer_windows_are_the_shortest_of_the_fewest(most: int, length: int, core: int, context: int) -> None:
    def count(cores: int) -> int:
        return len(list(windows(length, cores * core, context)))

    layout = longer_windows(WindowLayout(core, context), length, most)
    cores = layout.core // core
    assert layout == WindowLayout(cores * core, context)
    assert count(cores) == min(count(other) for other in range(1, most + 1))
    assert all(count(shorter) > count(cores) for shorter in range(1, cores))


@given(cores=st.integers(1, 4), **SIZES)
def test_a_longer_window_consists_of_the_windows_of_the_layout(
    cores: int, length: int, core: int, context: int
) -> None:
    layout = WindowLayout(core, context)
    found = [part for window in windows(length, cores * core, context) for part in sections(window, layout)]
    assert found == list(windows(length, core, context))


class Network:
    """Stands in for a base on the CPU."""

    config = ResUNet30Config()

    def __init__(self, bytes_per_second: float) -> None:
        self.bytes_per_second = bytes_per_second

    def parameters(self) -> Iterator[torch.Tensor]:
        return iter([torch.zeros(1)])


@pytest.mark.parametrize(
    ("mebibytes_per_second", "rows", "core_seconds"),
    [(15, 1, 24), (160, 1, 8), (70, 1, 8), (50, 1, 16), (30, 1, 24), (30, 2, 8), (math.inf, 1, 8)],
)
def test_windows_are_as_long_as_a_quarter_of_the_memory_allows(
    mebibytes_per_second: float, rows: int, core_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dplass_cli.separation.windows.device_memory", lambda device: 4 << 30)
    network: Any = Network(mebibytes_per_second * 2**20)
    assert fitting_windows(32000, 300 * 32000, network, rows).core == core_seconds * 32000


def test_a_short_recording_has_one_window_no_longer_than_it_needs() -> None:
    network: Any = Network(1.0)
    assert fitting_windows(32000, 10 * 32000, network).core == 8 * 32000
    assert fitting_windows(32000, 30 * 32000, network).core == 16 * 32000  # two windows, as with 24 s


def test_windows_have_the_length_that_is_asked_for() -> None:
    network: Any = Network(math.inf)
    assert fitting_windows(32000, 300 * 32000, network, seconds=16.0).core == 16 * 32000


@settings(deadline=None)  # writes a file: a busy disk must not fail it
@given(length=st.integers(1, 300), core=st.integers(1, 60), context=st.integers(0, 30))
def test_windows_of_a_file_equal_those_of_its_samples(length: int, core: int, context: int) -> None:
    audio = np.random.default_rng(length).uniform(-1, 1, (2, length)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        write_audio(path, audio, 8000)
        layout = WindowLayout(core, context)
        pairs = zip(file_windows(path, length, layout), audio_windows(audio, layout), strict=True)
        for (from_file, read), (from_array, expected) in pairs:
            assert from_file == from_array
            np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 37800, 44100, 44101, 48000, 96000, 192000])
def test_windows_lie_on_the_grid_of_the_network_at_any_rate(rate: int) -> None:
    config = ResUNet30Config()
    layout = window_layout(rate, config)
    for samples in (layout.core, layout.context):
        network_samples, remainder = divmod(samples * config.sample_rate, rate)
        assert remainder == 0
        assert network_samples % (config.grid[0] * config.hop) == 0
    assert layout.context >= rate
    assert rate <= layout.core <= 12 * rate


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros((1, 100), np.float32), 8000)
    with pytest.raises(InputError, match=r"a\.wav: is .* shorter than its header says"):
        list(file_windows(tmp_path / "a.wav", 120, WindowLayout(50, 10)))


@pytest.mark.parametrize("rate", [16000, 22050, 32000, 44100, 48000, 96000])
def test_windows_stay_short_where_the_rates_rarely_coincide(rate: int) -> None:
    config = LaSAFTConfig()
    grid = config.grid[0] * config.hop
    layout = window_layout(rate, config)
    assert layout.core == pytest.approx(8 * rate, rel=0.05)
    assert 1.0 <= layout.context / rate < 1.4
    for window in windows(60 * rate, *layout):
        start = window.start * config.sample_rate / rate
        assert start.is_integer()  # a sample of both rates
        left_out = before_grid(window.start, rate, config)
        assert (start + left_out) % grid == 0
        assert left_out < grid
        assert window.first == 0 or (window.first - window.start) / rate - left_out / config.sample_rate > 1.0
