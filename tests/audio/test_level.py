"""The level of recordings, and the normalisation to a level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dplass_cli.audio.level import (
    UNCHANGED,
    array_normalization,
    file_normalization,
    is_silent,
    near_level,
    normalization_of,
    without_offset,
)
from dplass_cli.audio.reading import Audio, audio_info
from dplass_cli.audio.writing import write_audio

RATE, LEVEL_DB = 8000, -21.0


def noise(seconds: float, rms: float, channels: int = 1) -> Audio:
    samples = np.random.default_rng(0).normal(0, 1, (channels, round(seconds * RATE)))
    samples -= samples.mean(axis=1, keepdims=True)
    return np.asarray(samples * rms / np.sqrt(np.square(samples).mean()), dtype=np.float32)


def level_db(audio: torch.Tensor) -> float:
    return float(10 * torch.log10(audio.square().mean()))


@pytest.mark.parametrize("gain_db", [-90.0, -50.0, 0.0, 20.0])
@pytest.mark.parametrize("offset", [0.0, 0.1, -0.5])
def test_a_recording_is_heard_at_the_level_without_its_offset(gain_db: float, offset: float) -> None:
    recording = noise(2.0, 0.1, channels=2) * np.float32(10 ** (gain_db / 20)) + np.float32(offset)
    found = normalization_of([recording], RATE, LEVEL_DB, channels=2)
    heard = found.apply(torch.from_numpy(recording))
    # Samples next to an offset of 0.5 are rounded to 6e-8 of full scale, which a gain of 90 dB makes audible.
    exactness = 1e-3 if gain_db > -90.0 or offset == 0.0 else 0.05
    assert level_db(heard) == pytest.approx(LEVEL_DB, abs=exactness)
    torch.testing.assert_close(heard.mean(dim=1), torch.zeros(2), atol=2e-3, rtol=0)


def test_outputs_get_the_level_of_the_recording() -> None:
    recording = torch.from_numpy(noise(1.0, 0.003, channels=2) + np.float32([[0.05], [-0.1]]))
    found = normalization_of([recording.numpy()], RATE, LEVEL_DB, channels=2)
    assert found.offset is not None
    torch.testing.assert_close(found.offset, torch.tensor([[0.05], [-0.1]]), atol=1e-6, rtol=0)
    heard = found.apply(recording)
    torch.testing.assert_close(found.undo(heard), recording - found.offset, atol=1e-7, rtol=1e-6)


def test_silence_around_a_sound_does_not_change_its_level() -> None:
    sound, hiss = noise(2.0, 0.1), noise(20.0, 1e-5)
    alone = normalization_of([sound], RATE, LEVEL_DB).gain
    surrounded = normalization_of([np.concatenate([hiss, sound, hiss], axis=1)], RATE, LEVEL_DB).gain
    assert surrounded == pytest.approx(alone, rel=1e-3)


def test_silence_is_left_as_it_is() -> None:
    assert normalization_of([np.zeros((1, RATE), np.float32)], RATE, LEVEL_DB).gain == 1.0


def test_the_result_does_not_depend_on_the_blocks(tmp_path: Path) -> None:
    recording = np.concatenate([noise(15.3, 0.1, 2), noise(8.0, 0.002, 2)], axis=1) + np.float32(0.02)
    whole = normalization_of([recording], RATE, LEVEL_DB, channels=2)
    parts = normalization_of(np.split(recording, [800, 8000, 80000], axis=1), RATE, LEVEL_DB, channels=2)
    write_audio(tmp_path / "a.wav", recording, RATE, "FLOAT")
    file = file_normalization(tmp_path / "a.wav", audio_info(tmp_path / "a.wav"), LEVEL_DB)
    array = array_normalization(recording, RATE, LEVEL_DB)
    for found in (parts, file, array):
        assert found.gain == pytest.approx(whole.gain, rel=1e-9)
        assert found.offset is not None
        assert whole.offset is not None
        torch.testing.assert_close(found.offset, whole.offset, atol=1e-9, rtol=0)


def test_a_recording_shorter_than_a_block_has_a_level() -> None:
    assert normalization_of([noise(0.05, 0.1)], RATE, LEVEL_DB).gain == pytest.approx(10 ** (-1 / 20), rel=1e-4)


def test_without_an_input_level_nothing_changes_and_nothing_is_read(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(1.0, 0.1), RATE)
    info = audio_info(tmp_path / "a.wav")
    (tmp_path / "a.wav").unlink()
    assert file_normalization(tmp_path / "a.wav", info, None) is UNCHANGED
    audio = torch.randn(2, 100)
    assert UNCHANGED.apply(audio) is UNCHANGED.undo(audio) is audio


def test_training_mixtures_are_brought_into_the_range_of_the_level() -> None:
    levels_db = torch.tensor([-60.0, -40.0, -21.0, -12.0, 0.0])
    mixtures = torch.from_numpy(noise(1.0, 1.0)) * (10 ** (levels_db / 20))[:, None] + 0.03
    offset, gain = near_level(mixtures, RATE, LEVEL_DB, range_db=12.0)
    heard = (mixtures - offset) * gain
    expected = [-33.0, -33.0, -21.0, -12.0, -9.0]
    assert [level_db(row) for row in heard] == pytest.approx(expected, abs=1e-2)
    exactly = near_level(mixtures, RATE, LEVEL_DB, range_db=0.0)
    single = [normalization_of([row[None].numpy()], RATE, LEVEL_DB).gain for row in mixtures]
    assert exactly[1][:, 0].tolist() == pytest.approx(single, rel=1e-3)
    assert near_level(torch.zeros(1, RATE), RATE, LEVEL_DB)[1].item() == 1.0


def test_three_steps_of_16_bits_around_an_offset_are_silence() -> None:
    sound = 0.1 + torch.tensor([3.0, -3.0]) / 32768
    assert not is_silent(sound)
    assert is_silent(without_offset(sound))
    assert not is_silent(without_offset(0.1 + torch.tensor([4.0, -4.0]) / 32768))
    assert len(without_offset(torch.zeros(0))) == 0
