"""Windows cover the audio once, and their contexts make local filters seamless."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dplass_cli.separation.windows import run_windowed, windows

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
def test_identity_gives_the_input(length: int, core: int, context: int) -> None:
    audio = torch.arange(2.0 * length).reshape(2, length)
    assert torch.equal(run_windowed(lambda part: part[None], audio, core, context, shortest=50)[0], audio)


@given(**SIZES)
def test_a_filter_no_longer_than_the_context_is_seamless(length: int, core: int, context: int) -> None:
    audio = torch.sin(torch.arange(float(length)))[None]
    kernel = torch.ones(1, 1, 2 * context + 1)

    def smooth(part: torch.Tensor) -> torch.Tensor:
        return F.conv1d(part[:, None], kernel, padding=context)[:, 0][None]

    torch.testing.assert_close(run_windowed(smooth, audio, core, context, shortest=1), smooth(audio))
