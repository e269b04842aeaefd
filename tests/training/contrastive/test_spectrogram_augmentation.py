"""Augmentations of mel spectrograms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dplass_cli.encoders import TinyEncoderConfig
from dplass_cli.training.contrastive.spectrogram_augmentation import (
    MelSpectrogramEnergy,
    add,
    at_unit_level,
    augmented,
    loudest_crop,
    reverberated,
)

CONFIG = TinyEncoderConfig(sample_rate=16000, mels=16)


def sound(level: float, frames: int = 20) -> MelSpectrogramEnergy:
    return MelSpectrogramEnergy(torch.full((16, frames), level), torch.full((frames,), level))


def test_a_second_sound_has_the_given_level() -> None:
    mixed = add(sound(4.0), sound(0.01), -10.0)
    assert mixed.energy[0] == pytest.approx(4.0 + 0.4)
    assert mixed.mel[0, 0] == pytest.approx(4.0 + 0.4)


def test_a_silent_second_sound_stays_silent() -> None:
    assert torch.equal(add(sound(1.0), sound(0.0), 20.0).mel, sound(1.0).mel)


def test_short_sounds_are_padded() -> None:
    crop = loudest_crop(sound(1.0, frames=5), 8, np.random.default_rng(0))
    assert crop.energy.tolist() == [1.0] * 5 + [0.0] * 3
    assert crop.mel.shape == (16, 8)


def test_the_level_of_a_sound_does_not_matter() -> None:
    torch.testing.assert_close(at_unit_level(sound(1e-4)), at_unit_level(sound(10.0)))


def test_augmented_sounds_keep_their_shape_and_are_finite() -> None:
    for seed in range(20):
        made = augmented(sound(1.0), np.random.default_rng(seed), CONFIG, torch.Generator().manual_seed(seed))
        assert made.shape == (16, 20)
        assert torch.isfinite(made).all()


@pytest.mark.parametrize("reverberant_db", [-10.0, 0.0, 10.0])
def test_a_room_keeps_energy_and_decays_by_60_db(reverberant_db: float) -> None:
    click = torch.zeros(16, 200)
    click[:, 0] = 1.0
    wet = reverberated(click, 100.0, reverberant_db)[0]
    assert wet.sum() == pytest.approx(1.0)
    level = 10 * torch.log10(wet[1:100])
    torch.testing.assert_close(level.diff(), torch.full((98,), -0.6))
    assert float(wet[100:].abs().max()) == 0.0
    direct = 1 / (1 + 10 ** (reverberant_db / 10))  # and the first frame of the decay lies on it
    assert float(wet[0]) == pytest.approx(direct + (1 - direct) * (1 - 10**-0.06), rel=1e-4)
