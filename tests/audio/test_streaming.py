"""Reading block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.reading import even_blocks, read_audio, read_blocks
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError

RATE = 16000


def _write(path: Path, audio: np.ndarray) -> Path:  # type: ignore[type-arg]
    write_audio(path, audio.astype(np.float32), RATE)
    return path


def test_blocks_are_the_file_in_order(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-1, 1, (2, 1000)))
    blocks = list(read_blocks(path, even_blocks(1000, 300)))
    assert [block.shape for block in blocks] == [(2, 300), (2, 300), (2, 300), (2, 100)]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), read_audio(path)[0])


@pytest.mark.parametrize(("frames", "sizes"), [(0, []), (5, [5]), (10, [5, 5]), (11, [5, 5, 1])])
def test_even_blocks_cover_all_samples(frames: int, sizes: list[int]) -> None:
    assert even_blocks(frames, 5) == sizes


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.zeros((1, 100)))
    with pytest.raises(InputError, match="shorter than its header says"):
        list(read_blocks(path, [60, 60]))


def test_infinite_samples_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", np.array([[0.0, 0.0, np.inf, 0.0]]))
    blocks = read_blocks(path, [2, 2])
    assert next(blocks).shape == (1, 2)
    with pytest.raises(InputError, match="contains NaN or infinite samples"):
        next(blocks)
