"""Estimates kept between two passes, in memory and in a temporary file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dplass_cli.separation.kept_estimates import KeptEstimates

WINDOWS = [torch.randn(2, 1, length) for length in (100, 100, 30)]


def read(kept: KeptEstimates, count: int = len(WINDOWS)) -> list[Tensor | None]:
    return list(islice(kept.read(), count))


def keep(folder: Path | None, in_memory: int) -> KeptEstimates:
    kept = KeptEstimates(folder, in_memory)
    for estimates in WINDOWS:
        kept.add(estimates)
    return kept


@pytest.mark.parametrize("in_memory", [0, 1000, 1 << 20])  # bytes: no window, one, all
def test_estimates_are_read_in_the_order_of_the_windows(in_memory: int, tmp_path: Path) -> None:
    with keep(tmp_path / "new", in_memory) as kept:
        found = read(kept)
    for estimates, expected in zip(found, WINDOWS, strict=True):
        assert estimates is not None
        torch.testing.assert_close(estimates, expected, rtol=0, atol=0)


def test_without_a_folder_everything_stays_in_memory() -> None:
    with keep(None, in_memory=0) as kept:
        assert all(estimates is not None for estimates in read(kept))


def test_windows_beyond_those_that_were_kept_are_missing() -> None:
    with KeptEstimates() as kept:
        assert read(kept) == [None] * 3


def test_a_file_that_cannot_grow_is_given_up(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # Windows has no such limit
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with keep(tmp_path, in_memory=1000) as kept:
            first, *others = read(kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert first is not None
    assert others == [None, None]
    assert not list(tmp_path.iterdir())
