"""The targets of a recording in memory: a dict of arrays, and what a notebook shows."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from embedded_sounds import embedded

from dplass_cli.separation.presence import Presence
from dplass_cli.separation.separated_audio import SeparatedAudio

DOG, RAIN = "a dog barking", "rain falling"


@pytest.fixture
def separated() -> SeparatedAudio:
    """Half a second of stereo noise at 8 kHz, and two parts of it."""
    recording, dog, rain = np.random.default_rng(0).uniform(-0.3, 0.3, (3, 2, 4000)).astype(np.float32)
    presence = {DOG: Presence(0.97, 0.5, 0.1, -3.0, True)}
    return SeparatedAudio({DOG: dog, RAIN: rain}, recording, 8000, {DOG: "domain1", RAIN: None}, presence)


def test_it_is_a_dict_of_the_targets(separated: SeparatedAudio) -> None:
    assert isinstance(separated, dict)
    assert list(separated) == [DOG, RAIN]
    assert separated[DOG].shape == (2, 4000)


def test_targets_and_residual_add_up_to_the_recording(separated: SeparatedAudio) -> None:
    total = separated[DOG] + separated[RAIN] + separated.residual
    np.testing.assert_allclose(total, separated.recording, atol=1e-6)


def test_copies_and_pickles_keep_everything(separated: SeparatedAudio) -> None:
    for other in (copy.deepcopy(separated), pickle.loads(pickle.dumps(separated))):
        assert type(other) is SeparatedAudio
        np.testing.assert_array_equal(other[RAIN], separated[RAIN])
        np.testing.assert_array_equal(other.residual, separated.residual)
        assert (other.sample_rate, other.adapters, other.presence) == (8000, separated.adapters, separated.presence)


def test_its_repr_is_one_line(separated: SeparatedAudio) -> None:
    assert repr(separated) == "SeparatedAudio(['a dog barking', 'rain falling'], 2 channels, 4000 samples, 8000 Hz)"


def test_a_notebook_plays_recording_targets_and_residual(separated: SeparatedAudio) -> None:
    players = embedded(separated._repr_html_()).players
    expected = [separated.recording, separated[DOG], separated[RAIN], separated.residual]
    scale = max(1.0, *(np.abs(audio).max() for audio in expected))
    for player, audio in zip(players, expected, strict=True):
        assert player.sample_rate == 8000
        np.testing.assert_allclose(player.audio, audio / scale, atol=2 / 32768)


def test_a_notebook_says_what_served_a_target_and_its_presence(separated: SeparatedAudio) -> None:
    text = embedded(separated._repr_html_()).text
    assert "a dog barking domain1, presence 0.97" in text
    assert "rain falling base" in text
