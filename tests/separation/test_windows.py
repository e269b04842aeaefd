"""Windows cover the audio once, and their contexts make local filters seamless."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.separation.windows import Layout, layout, parts_of, parts_of_file, windows

SIZES = {"length": st.integers(1, 400), "core": st.integers(1, 60), "context": st.integers(0, 30)}


@given(**SIZES)
def test_windows_cover_each_sample_once(length: int, core: int, context: int) -> None:
    found = list(windows(length, core, context))
    assert [sample for w in found for sample in range(w.first, w.last)] == list(range(length))
    for w in found:
        assert 0 <= w.start <= w.first < w.last <= w.stop <= length
        assert w.start == 0 or w.first - w.start == context
        assert w.stop == length or w.stop - w.last == context


@given(**SIZES)
def test_a_filter_no_longer_than_the_context_is_seamless(length: int, core: int, context: int) -> None:
    audio = np.sin(np.arange(float(length), dtype=np.float32))[None]
    kernel = np.ones(2 * context + 1)
    kept = [
        np.convolve(np.pad(part[0], context), kernel, "valid")[window.kept]
        for window, part in parts_of(audio, Layout(core, context))
    ]
    np.testing.assert_allclose(np.concatenate(kept), np.convolve(np.pad(audio[0], context), kernel, "valid"), atol=1e-4)


@settings(deadline=None)  # writes a file: a busy disk must not fail it
@given(length=st.integers(1, 300), core=st.integers(1, 60), context=st.integers(0, 30))
def test_windows_of_a_file_are_those_of_its_samples(length: int, core: int, context: int) -> None:
    audio = np.random.default_rng(length).uniform(-1, 1, (2, length)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        write_audio(path, audio, 8000)
        laid = Layout(core, context)
        for (one, here), (other, there) in zip(parts_of_file(path, length, laid), parts_of(audio, laid), strict=True):
            assert one == other
            np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 37800, 44100, 44101, 48000, 96000, 192000])
def test_windows_keep_the_cells_and_the_instants_of_the_whole(rate: int) -> None:
    config = ResUNet30Config()
    laid = layout(rate, config)
    for samples in (laid.core, laid.context):
        at_the_network, rest = divmod(samples * config.sample_rate, rate)
        assert rest == 0
        assert at_the_network % (config.grid[0] * config.hop) == 0
    assert laid.context >= rate
    assert rate <= laid.core <= 12 * rate


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros((1, 100), np.float32), 8000)
    with pytest.raises(InputError, match=r"a\.wav: is .* shorter than its header says"):
        list(parts_of_file(tmp_path / "a.wav", 120, Layout(50, 10)))
