"""Filters, noise, tones, envelopes and events."""

from __future__ import annotations

import numpy as np
import pytest

from dplass_cli.sounds.synthesis import SyntheticClip, band, cascade, resonances, unit

RATE = 16000


def clip(seconds: float = 1.0) -> SyntheticClip:
    return SyntheticClip(np.random.default_rng(0), int(seconds * RATE), RATE)


def sine(frequency: float, length: int = RATE) -> np.ndarray:  # type: ignore[type-arg]
    return np.sin(2 * np.pi * frequency * np.arange(length) / RATE)


def power(signal: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.mean(signal[1000:-1000] ** 2))


@pytest.mark.parametrize(("frequency", "passes"), [(50, False), (1000, True), (6000, False)])
def test_a_band_passes_what_is_between_its_edges(frequency: float, passes: bool) -> None:
    kept = power(clip().filtered(sine(frequency), band(500, 2000))) / power(sine(frequency))
    assert (kept > 0.9) if passes else (kept < 0.01)


def test_a_resonance_peaks_at_its_centre_with_its_gain() -> None:
    response = resonances((1000.0,), (100.0,), (3.0,))
    gains = np.abs(response(np.array([500.0, 1000.0, 2000.0])))
    assert gains[1] == pytest.approx(3.0)
    assert gains[0] < 1.0
    assert gains[2] < 1.0


def test_a_cascade_multiplies_responses() -> None:
    frequencies = np.array([100.0, 1000.0, 3000.0])
    one, two = band(200, 2000), resonances((1000.0,), (100.0,))
    np.testing.assert_allclose(cascade(one, two)(frequencies), one(frequencies) * two(frequencies))


def test_noise_has_unit_rms_and_silence_stays_silent() -> None:
    assert np.sqrt(np.mean(clip().noise(band(100, 4000)) ** 2)) == pytest.approx(1.0)
    assert not unit(np.zeros(10)).any()


def test_grains_come_at_their_rate_and_crackle_is_bounded() -> None:
    assert np.count_nonzero(clip(10).grains(50.0, 0.5)) == pytest.approx(500, rel=0.15)
    assert np.abs(clip().crackle(20.0, 1.0, band(500, 5000))).max() <= 6.0


def test_a_wandering_curve_stays_between_its_bounds_and_moves() -> None:
    curve = clip().wander(5.0, 0.2, 0.8)
    assert 0.2 <= curve.min() < curve.max() <= 0.8


def test_a_contour_passes_through_its_values() -> None:
    np.testing.assert_allclose(SyntheticClip(np.random.default_rng(0), 5, RATE).contour((0, 1, 0)), [0, 0.5, 1, 0.5, 0])


def test_envelopes_rise_and_fall() -> None:
    struck = clip().strike(0.001, 0.1)
    assert struck[0] == 0
    assert struck.argmax() < 0.02 * RATE
    assert struck[-1] < 1e-3
    flat = clip().plateau(0.1, 0.2)
    assert (flat[0], flat[RATE // 2]) == (0, 1)
    assert flat[-1] < 0.01


def test_a_gate_opens_during_events_only() -> None:
    opened = clip().gate(np.array([0.2, 0.6]), 0.1, 0.01)
    assert (opened[int(0.25 * RATE)], opened[int(0.65 * RATE)]) == (1, 1)
    assert (opened[int(0.1 * RATE)], opened[int(0.5 * RATE)]) == (0, 0)
    assert not clip(0.01).gate(np.array([]), 0.1, 0.01).any()


def test_a_tone_has_its_pitch_and_no_partial_that_aliases() -> None:
    spectrum = np.abs(np.fft.rfft(clip().harmonic_tone(clip().steady(3000.0), (1.0, 0.5, 0.5, 0.5))))
    assert set(np.flatnonzero(spectrum > 0.1 * spectrum.max())) == {3000, 6000}


def test_the_phase_follows_the_frequency() -> None:
    assert clip().phase_of(clip().steady(10.0))[-1] == pytest.approx(2 * np.pi * 10)


def test_pulses_come_once_per_period() -> None:
    pulses = clip().pulse_train(clip().steady(100.0), 2000.0)
    peaks = np.flatnonzero((pulses[1:-1] > pulses[:-2]) & (pulses[1:-1] >= pulses[2:]) & (pulses[1:-1] > 0))
    assert len(peaks) == pytest.approx(100, abs=1)
    assert pulses.mean() == pytest.approx(0.0, abs=1e-9)


def test_modes_decay_with_their_time_constants() -> None:
    ringing = clip().modes((440.0,), (1.0,), (0.1,))
    early, late = np.abs(ringing[: RATE // 10]).max(), np.abs(ringing[RATE // 2 : RATE // 2 + 500]).max()
    assert late / early == pytest.approx(np.exp(-5.0), rel=0.2)


def test_onsets_are_about_a_period_apart() -> None:
    starts = clip(10).onsets(0.5)
    np.testing.assert_allclose(np.diff(starts), 0.5)
    assert starts[0] <= 0.08


def test_events_are_added_and_truncated_at_the_end() -> None:
    placed = SyntheticClip(np.random.default_rng(0), 10, 10).place((0.2, 0.8), (np.ones(4), np.ones(4)))
    np.testing.assert_array_equal(placed, [0, 0, 1, 1, 1, 1, 0, 0, 1, 1])


def test_repeated_takes_have_gains_between_the_softest_and_one() -> None:
    repeated = SyntheticClip(np.random.default_rng(0), 100, 10).repeat(np.arange(10.0), [np.ones(1)], 0.5)
    played = repeated[repeated > 0]
    assert len(played) == 10
    assert 0.5 <= played.min() < played.max() <= 1.0


def test_time_is_in_seconds() -> None:
    np.testing.assert_allclose(SyntheticClip(np.random.default_rng(0), 4, 2).time, [0.0, 0.5, 1.0, 1.5])
