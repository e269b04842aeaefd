"""Alarms, bells and signals: steady electronic tones in fixed rhythms, and struck metal."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import (
    Signal,
    band,
    contour,
    filtered,
    gate,
    harmonic_tone,
    modes,
    noise,
    onsets,
    place,
    plateau,
    repeat,
    resonances,
    steady,
    time_axis,
    unit,
)

_SQUARE = (1.0, 0.0, 0.33, 0.0, 0.2, 0.0, 0.14)  # odd harmonics: the cheap buzzer of an electronic beeper


def _beeps(
    rng: np.random.Generator, n_samples: int, sample_rate: int, tone: Signal, period: float, length: float, group: int
) -> Signal:
    """Cut ``tone`` (n,) into beeps of ``length`` every ``period`` seconds, in groups with a rest between."""
    starts = onsets(rng, n_samples / sample_rate, period)
    if group > 1:
        starts = starts[np.arange(len(starts)) % (group + 1) != group]
    return tone * gate(n_samples, sample_rate, starts, length, 0.004)


def siren(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A wailing sweep between about 550 and 1400 Hz; float64 (n_samples,)."""
    low, high, rate = rng.uniform(500, 650), rng.uniform(1200, 1600), rng.uniform(0.3, 0.9)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * (rate * time_axis(n_samples, sample_rate) + rng.uniform()))
    return harmonic_tone(low * (high / low) ** swing, sample_rate, (1.0, 0.5, 0.4, 0.2, 0.1))


def smoke_alarm(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Piercing beeps near 3.2 kHz in threes; float64 (n_samples,)."""
    tone = harmonic_tone(steady(n_samples, rng.uniform(3000, 3500)), sample_rate, (1.0, 0.2, 0.1))
    period = rng.uniform(0.28, 0.5)
    return _beeps(rng, n_samples, sample_rate, tone, period, 0.6 * period, group=3)


def telephone(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Two small gongs struck in turn by a fast clapper, ringing and resting; float64 (n_samples,)."""
    low, rate = rng.uniform(1150, 1450), rng.uniform(18, 24)
    length = int(0.25 * sample_rate)
    gongs = [
        modes(length, sample_rate, (pitch, 2.7 * pitch, 4.9 * pitch), (1.0, 0.7, 0.35), (0.12, 0.08, 0.04))
        for pitch in (low, rng.uniform(1.2, 1.3) * low)
    ]
    starts = onsets(rng, n_samples / sample_rate, 1 / rate)
    ring, rest = rng.uniform(1.0, 1.6), rng.uniform(0.4, 0.8)
    starts = starts[np.mod(starts, ring + rest) < ring]
    return place(n_samples, sample_rate, starts, [gongs[index % 2] for index in range(len(starts))])


def church_bell(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A large bell with hum, prime, minor third, fifth and octave; float64 (n_samples,)."""
    prime = rng.uniform(260, 400)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.0, 4.1]) * rng.uniform(0.995, 1.005, 8)
    decays = rng.uniform(0.9, 1.4) * np.array([2.0, 1.2, 0.9, 0.6, 0.7, 0.4, 0.3, 0.2])
    sizes = np.array([0.5, 0.7, 0.8, 0.4, 1.0, 0.4, 0.4, 0.25])
    length = min(n_samples, 3 * sample_rate)
    bell = modes(length, sample_rate, (prime * ratios).tolist(), sizes.tolist(), decays.tolist())
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(1.1, 1.8), jitter=0.04)
    return repeat(rng, n_samples, sample_rate, starts, [bell], 0.7)


def alarm_clock(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Bursts of four fast beeps of a square wave near 2 kHz; float64 (n_samples,)."""
    tone = harmonic_tone(steady(n_samples, rng.uniform(1850, 2250)), sample_rate, _SQUARE)
    period = rng.uniform(0.1, 0.14)
    return _beeps(rng, n_samples, sample_rate, tone, period, 0.5 * period, group=4)


def bicycle_bell(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A thumbed bell: a trill of small strokes that rings on above 2.5 kHz; float64 (n_samples,)."""
    pitch = rng.uniform(2300, 2900)
    length = int(0.9 * sample_rate)
    ring = rng.uniform(0.2, 0.35)
    bell = modes(length, sample_rate, (pitch, 1.006 * pitch, 2.35 * pitch), (1.0, 0.8, 0.6), (ring, ring, ring / 2))
    period = rng.uniform(0.7, 1.1)
    thumbed = onsets(rng, n_samples / sample_rate, period, jitter=0.1)
    trill = np.arange(rng.integers(3, 6)) * rng.uniform(0.035, 0.06)
    starts = (thumbed[:, None] + trill[None, :]).ravel()
    return repeat(rng, n_samples, sample_rate, starts, [bell], 0.4)


def reversing_beeps(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A lorry's loud beep near 1.2 kHz, on and off about once a second; float64 (n_samples,)."""
    tone = harmonic_tone(steady(n_samples, rng.uniform(1100, 1350)), sample_rate, (1.0, 0.1, 0.5, 0.05, 0.2))
    period = rng.uniform(0.8, 1.1)
    return _beeps(rng, n_samples, sample_rate, tone, period, 0.5 * period, group=1)


def busy_signal(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """The telephone's two low tones, on and off in even time; float64 (n_samples,)."""
    detune = rng.uniform(0.94, 1.06)
    tone = harmonic_tone(steady(n_samples, 480 * detune), sample_rate, (1.0,))
    tone += harmonic_tone(steady(n_samples, 620 * detune), sample_rate, (1.0,))
    line = noise(rng, n_samples, sample_rate, band(300, 3400))
    period = rng.uniform(0.45, 0.9)
    return _beeps(rng, n_samples, sample_rate, tone, period, 0.5 * period, group=1) + 0.01 * line


def doorbell(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Ding-dong: two struck bars a third apart, the high one first; float64 (n_samples,)."""
    pitch, gap = rng.uniform(620, 760), rng.uniform(0.45, 0.6)
    length = int(1.2 * sample_rate)
    ding, dong = (
        modes(length, sample_rate, (base, 2.76 * base, 5.4 * base), (1.0, 0.25, 0.1), (0.45, 0.2, 0.08))
        for base in (pitch, pitch / 1.26)
    )
    pressed = onsets(rng, n_samples / sample_rate, rng.uniform(1.3, 1.8))
    return place(n_samples, sample_rate, pressed, [ding] * len(pressed)) + place(
        n_samples, sample_rate, pressed + gap, [dong] * len(pressed)
    )


def foghorn(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Very low blasts of a ship in fog that sag at the end; float64 (n_samples,)."""
    pitch, period = rng.uniform(70, 95), rng.uniform(1.6, 2.4)
    length = int(0.8 * period * sample_rate)
    reed = harmonic_tone(pitch * contour(length, (0.97, 1, 1, 1, 1, 0.9)), sample_rate, [1 / k for k in range(1, 20)])
    horn = resonances((160, 330, 700), (80, 150, 300), (1.0, 0.7, 0.2))
    blast = unit(filtered(reed, sample_rate, horn)) * plateau(length, sample_rate, 0.1, 0.15)
    return repeat(rng, n_samples, sample_rate, onsets(rng, n_samples / sample_rate, period), [blast], 0.8)
