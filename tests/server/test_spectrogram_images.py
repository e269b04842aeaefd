"""Spectrograms: the right place for a tone, any length, any rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from dplass_cli.audio.reading import Audio, AudioInfo, audio_info
from dplass_cli.audio.writing import write_audio
from dplass_cli.server import pictures
from dplass_cli.server.pictures import draw, levels


@pytest.mark.parametrize(("rate", "hertz"), [(8000, 1000), (44100, 1000), (96000, 9000)])
def test_a_tone_is_where_it_belongs_in_time_and_mel(tmp_path: Path, rate: int, hertz: float) -> None:
    time = np.arange(4 * rate) / rate
    tone = np.where(time >= 3.0, np.sin(2 * np.pi * hertz * time), 0.0).astype(np.float32)
    write_audio(tmp_path / "tone.wav", np.stack([tone, tone]), rate)
    found = levels(tmp_path / "tone.wav", audio_info(tmp_path / "tone.wav"))
    row, column = np.unravel_index(found.argmax(), found.shape)
    top = np.log10(1 + min(16000, rate / 2) / 700)
    assert row / len(found) == pytest.approx(np.log10(1 + hertz / 700) / top, abs=0.03)
    assert column / found.shape[1] > 0.75
    assert found[row, : round(0.7 * found.shape[1])].max() < found.max() - 60


@pytest.mark.parametrize("samples", [1, 700, 513, 512 * 512, 512 * 512 + 1, 2_000_000])
def test_any_length_gives_a_picture_of_bounded_size(tmp_path: Path, samples: int) -> None:
    write_audio(tmp_path / "a.wav", np.full((1, samples), 0.1, np.float32), 16000)
    found = levels(tmp_path / "a.wav", audio_info(tmp_path / "a.wav"))
    assert found.shape[0] == 160
    assert 1 <= found.shape[1] <= 901
    assert np.isfinite(found).all()
    draw(found, float(found.max()), tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[:2] == found.shape


def test_long_files_are_read_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def read(path: Path, wanted: Iterable[int]) -> Iterator[Audio]:
        for size in wanted:
            sizes.append(size)
            yield np.zeros((1, size), np.float32)

    monkeypatch.setattr(pictures, "read_blocks", read)
    info = AudioInfo(3600 * 16000, 16000, 1, "WAV", "PCM_16")  # an hour
    assert levels(tmp_path / "hour.wav", info).shape[1] <= 901
    assert sum(sizes) == info.frames
    assert max(sizes) <= 512 * 512
