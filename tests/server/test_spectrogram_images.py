"""Spectrogram images: where a tone appears, their size, and the memory that a long file takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from dplass_cli.audio.reading import Audio, AudioInfo, audio_info
from dplass_cli.audio.writing import write_audio
from dplass_cli.server import spectrogram_images
from dplass_cli.server.spectrogram_images import mel_levels, write_image


@pytest.mark.parametrize(("rate", "hertz"), [(8000, 1000), (44100, 1000), (96000, 9000)])
def test_a_tone_appears_at_its_time_and_mel_frequency(tmp_path: Path, rate: int, hertz: float) -> None:
    time = np.arange(4 * rate) / rate
    tone = np.where(time >= 3.0, np.sin(2 * np.pi * hertz * time), 0.0).astype(np.float32)
    write_audio(tmp_path / "tone.wav", np.stack([tone, tone]), rate)
    levels = mel_levels(tmp_path / "tone.wav", audio_info(tmp_path / "tone.wav"))
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    top = np.log10(1 + min(16000, rate / 2) / 700)
    assert row / len(levels) == pytest.approx(np.log10(1 + hertz / 700) / top, abs=0.03)
    assert column / levels.shape[1] > 0.75
    assert levels[row, : round(0.7 * levels.shape[1])].max() < levels.max() - 60


@pytest.mark.parametrize("samples", [1, 700, 513, 512 * 512, 512 * 512 + 1, 2_000_000])
def test_files_of_any_length_give_an_image_of_bounded_size(tmp_path: Path, samples: int) -> None:
    write_audio(tmp_path / "a.wav", np.full((1, samples), 0.1, np.float32), 16000)
    levels = mel_levels(tmp_path / "a.wav", audio_info(tmp_path / "a.wav"))
    assert levels.shape[0] == 160
    assert 1 <= levels.shape[1] <= 901
    assert np.isfinite(levels).all()
    write_image(levels, float(levels.max()), tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[:2] == levels.shape


def test_levels_below_the_range_are_black_and_the_top_is_bright(tmp_path: Path) -> None:
    levels = np.array([[-70.0, 0.0]], np.float32)
    write_image(levels, 0.0, tmp_path / "a.png")
    dark, bright = imread(tmp_path / "a.png")[0, :, :3].sum(axis=1)
    assert dark < 0.05
    assert bright > 2.0


def test_an_hour_is_read_in_small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def read_silence(path: Path, wanted: Iterable[int]) -> Iterator[Audio]:
        for size in wanted:
            sizes.append(size)
            yield np.zeros((1, size), np.float32)

    monkeypatch.setattr(spectrogram_images, "read_blocks", read_silence)
    info = AudioInfo(3600 * 16000, 16000, 1, "WAV", "PCM_16")
    assert mel_levels(tmp_path / "hour.wav", info).shape[1] <= 901
    assert sum(sizes) == info.frames
    assert max(sizes) <= 512 * 512
