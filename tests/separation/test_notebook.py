"""Sounds in notebooks: what the players contain, and how much."""

from __future__ import annotations

import numpy as np
import pytest
from embedded_sounds import embedded

from dplass_cli.separation.notebook import MOST_SOUNDS, NotebookSound, seconds_shown, sounds_html, target_note
from dplass_cli.separation.presence import Presence

RATE = 16000
HALF_A_STEP = 0.5 / 32768 + 1e-7  # of 16 bits


def noise(channels: int = 1, seconds: float = 0.5, peak: float = 0.9) -> np.ndarray:  # type: ignore[type-arg]
    shape = (channels, round(seconds * RATE))
    return np.random.default_rng(channels).uniform(-peak, peak, shape).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_player_contains_the_samples(channels: int) -> None:
    (player,) = embedded(sounds_html([NotebookSound("noise", noise(channels))], RATE)).players
    assert player.sample_rate == RATE
    np.testing.assert_allclose(player.audio, noise(channels), atol=2 * HALF_A_STEP)


def test_of_more_than_two_channels_the_mean_is_played() -> None:
    (player,) = embedded(sounds_html([NotebookSound("noise", noise(5))], RATE)).players
    np.testing.assert_allclose(player.audio, noise(5).mean(axis=0, keepdims=True), atol=2 * HALF_A_STEP)


def test_sounds_above_full_scale_are_scaled_by_one_factor() -> None:
    quiet, loud = embedded(sounds_html([NotebookSound("a", noise()), NotebookSound("b", 4 * noise())], RATE)).players
    factor = np.abs(4 * noise()).max()
    np.testing.assert_allclose(loud.audio, 4 * noise() / factor, atol=2 * HALF_A_STEP)
    np.testing.assert_allclose(quiet.audio, noise() / factor, atol=2 * HALF_A_STEP)


def test_long_sounds_are_cut_to_the_bytes_allowed_and_say_so() -> None:
    html = sounds_html(
        [NotebookSound("a", noise(2, 3.0)), NotebookSound("b", noise(2, 3.0))], RATE, most_bytes=8 * RATE
    )
    for player in embedded(html).players:
        np.testing.assert_allclose(player.audio, noise(2, 3.0)[:, :RATE], atol=2 * HALF_A_STEP)
    assert html.count("the first 1.0 of 3.0 s") == 4  # below each spectrogram and in its description


def test_all_players_together_stay_within_the_bytes_allowed() -> None:
    for sounds in (1, 4, 100):
        shown = min(sounds, MOST_SOUNDS)
        assert 2 * 2 * 44100 * shown * seconds_shown(sounds, 2, 44100, 10**6) <= 10**6


def test_of_many_sounds_the_first_are_shown() -> None:
    html = sounds_html(
        [NotebookSound(f"sound {number}", noise(seconds=0.01)) for number in range(MOST_SOUNDS + 3)], RATE
    )
    assert len(embedded(html).players) == MOST_SOUNDS
    assert "and 3 more" in html


def test_every_sound_has_a_picture_that_names_it() -> None:
    found = embedded(sounds_html([NotebookSound("<b>", noise()), NotebookSound("&", noise())], RATE))
    described = [picture.alt for picture in found.pictures]
    assert described == ["Spectrogram of <b>, 0.50 s, 0 to 8 kHz", "Spectrogram of &, 0.50 s, 0 to 8 kHz"]
    assert all(picture.content.startswith(b"\x89PNG") for picture in found.pictures)
    assert "<b>" in found.text


def test_the_spectrogram_shows_where_the_sound_is() -> None:
    tone = np.sin(2 * np.pi * 6000 * np.arange(RATE) / RATE).astype(np.float32)
    tone[: RATE // 2] = 0.0
    (picture,) = embedded(sounds_html([NotebookSound("tone", tone[None])], RATE)).pictures
    light = picture.pixels.sum(axis=-1)
    height, width = light.shape
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert column > width // 2
    assert row == pytest.approx(height / 4, abs=2)  # 6 of 8 kHz, from below
    assert light[:, : width // 2 - 2].max() == light.min()


def test_silence_is_shown_without_warnings() -> None:
    (player,) = embedded(sounds_html([NotebookSound("silence", np.zeros((1, 10), np.float32))], RATE)).players
    assert not player.audio.any()


@pytest.mark.parametrize(
    ("adapter", "calibrated", "note"),
    [
        (None, True, "base, presence 0.25"),
        ("domain1", False, "domain1, presence 0.25 (not calibrated)"),
        ({"domain1": 0.5, "domain2": 0.5}, True, "blend of domain1, domain2, presence 0.25"),
    ],
)
def test_a_note_names_adapter_and_presence(adapter: object, calibrated: bool, note: str) -> None:
    assert target_note(adapter, Presence(0.25, 0.1, 0.1, -3.0, calibrated)) == note  # type: ignore[arg-type]


def test_a_note_without_presence_names_the_adapter() -> None:
    assert target_note("domain1", None) == "domain1"
