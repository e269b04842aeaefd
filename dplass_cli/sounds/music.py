"""Musical instruments: plucked, blown, bowed and struck, each playing a small random figure."""

from __future__ import annotations

from collections.abc import Callable

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
    phase_of,
    place,
    plateau,
    resonances,
    steady,
    strike,
    time_axis,
    unit,
    voice,
    wander,
)

_SCALE = (0, 2, 4, 7, 9, 12, 14, 16)  # two octaves of a pentatonic scale: any order of its notes sounds like a tune


def _melody(rng: np.random.Generator, count: int, lowest: float) -> Signal:
    """``count`` frequencies in Hz of a random walk on the scale above ``lowest``."""
    walk = np.abs(rng.integers(0, len(_SCALE)) + np.cumsum(rng.integers(-2, 3, count))) % len(_SCALE)
    melody: Signal = lowest * 2 ** (np.array(_SCALE)[walk] / 12)
    return melody


def _tune(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int,
    lowest: float,
    beat: float,
    note: Callable[[float], Signal],
) -> Signal:
    """Play one ``note(frequency)`` per beat (seconds), following a random melody."""
    starts = onsets(rng, n_samples / sample_rate, beat, jitter=0.05)
    notes = [note(float(pitch)) for pitch in _melody(rng, len(starts), lowest)]
    return place(n_samples, sample_rate, starts, notes)


def _pluck(rng: np.random.Generator, length: int, sample_rate: int, pitch: float, softness: float) -> Signal:
    """One string by Karplus and Strong: a burst of noise that a loop of one period smooths and damps."""
    period = max(4, round(sample_rate / pitch))
    current = filtered(rng.standard_normal(period), sample_rate, band(50, 5000, order=1))
    loss = 10 ** (-3 / (pitch * rng.uniform(2.0, 3.5)))  # -60 dB after two to three and a half seconds
    periods = -(-length // period)
    string = np.empty((periods, period))
    last = 0.0
    for index in range(periods):
        string[index] = current
        neighbour = np.concatenate(([last], current[:-1]))
        last = current[-1]
        current = loss * ((1 - softness) * current + softness * neighbour)
    return unit(string.ravel()[:length]) * plateau(length, sample_rate, 0.002, 0.05)


def acoustic_guitar(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Finger-picked strings on a wooden body; float64 (n_samples,)."""
    softness = rng.uniform(0.2, 0.5)
    length = int(1.2 * sample_rate)
    strings = _tune(
        rng,
        n_samples,
        sample_rate,
        rng.uniform(98, 150),
        rng.uniform(0.2, 0.36),
        lambda pitch: _pluck(rng, length, sample_rate, pitch, softness),
    )
    return filtered(strings, sample_rate, resonances((110, 220, 420), (60, 80, 150), (0.8, 0.6, 0.4), floor=0.5))


def flute(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Nearly pure tones with vibrato and breath; float64 (n_samples,)."""
    beat, vibrato = rng.uniform(0.35, 0.7), rng.uniform(4.5, 6.0)
    length = int(0.97 * beat * sample_rate)
    wave = np.sin(2 * np.pi * vibrato * time_axis(length, sample_rate))
    amplitudes = (1.0, rng.uniform(0.15, 0.3), rng.uniform(0.05, 0.15), 0.02)

    def note(pitch: float) -> Signal:
        air = noise(rng, length, sample_rate, resonances((pitch, 2 * pitch), (pitch / 3, pitch)))
        blown: Signal = harmonic_tone(pitch * (1 + 0.006 * wave), sample_rate, amplitudes) * (1 + 0.15 * wave)
        blown = (blown + 0.05 * air) * plateau(length, sample_rate, 0.06, 0.08)
        return blown

    return _tune(rng, n_samples, sample_rate, rng.uniform(520, 660), beat, note)


def organ(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Chords of pipes at octaves and fifths, as steady as only pipes are; float64 (n_samples,)."""
    beat = rng.uniform(0.9, 1.6)
    length = int(beat * sample_rate)
    silence = np.zeros(length)
    stops = [0.0] * 16
    ranks = ((1, 0.8, 1.0), (2, 0.6, 1.0), (3, 0.2, 0.5), (4, 0.5, 0.9), (8, 0.4, 0.7), (16, 0.2, 0.4))
    for harmonic, low, high in ranks:
        stops[harmonic - 1] = rng.uniform(low, high)

    def chord(root: float) -> Signal:
        ratios = (0.5, 1.0, rng.choice([1.2, 1.25]), 1.5)
        pipes = sum((harmonic_tone(steady(length, root * ratio), sample_rate, stops) for ratio in ratios), silence)
        return pipes * plateau(length, sample_rate, 0.03, 0.05)

    return _tune(rng, n_samples, sample_rate, rng.uniform(230, 290), beat, chord)


def bass_drum(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Beats of a large drum whose pitch drops after each stroke; float64 (n_samples,)."""
    length = int(0.45 * sample_rate)
    pitch, drop = rng.uniform(45, 65), rng.uniform(1.0, 2.5)
    frequency = pitch * (1 + drop * np.exp(-time_axis(length, sample_rate) / 0.03))
    drum = np.sin(phase_of(frequency, sample_rate)) * strike(length, sample_rate, 0.002, rng.uniform(0.12, 0.2))
    beater = noise(rng, length, sample_rate, band(300, 1500)) * strike(length, sample_rate, 0.001, 0.006)
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.28, 0.5), jitter=0.02)
    gains = rng.choice([1.0, 0.8, 0.6], len(starts))
    return place(n_samples, sample_rate, starts, [gain * (drum + 0.15 * beater) for gain in gains])


def hi_hat(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Closed strokes with an open one now and then; float64 (n_samples,)."""
    length = int(0.4 * sample_rate)
    metal = noise(rng, length, sample_rate, band(rng.uniform(6000, 7000), 14000, order=6))
    strokes = [metal * strike(length, sample_rate, 0.001, decay) for decay in (rng.uniform(0.02, 0.05), 0.15)]
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.12, 0.22))
    accents = np.where(np.arange(len(starts)) % 2 == 0, 1.0, rng.uniform(0.4, 0.8))
    opened = np.arange(len(starts)) % 8 == 6
    return place(
        n_samples, sample_rate, starts, [gain * strokes[int(o)] for gain, o in zip(accents, opened, strict=True)]
    )


def marimba(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Wooden bars, whose second mode is two octaves above the first; float64 (n_samples,)."""
    length = int(0.5 * sample_rate)
    hardness, ring = rng.uniform(0.15, 0.4), rng.uniform(0.12, 0.22)

    def bar(pitch: float) -> Signal:
        sizes = (1.0, hardness, hardness / 2)
        return modes(length, sample_rate, (pitch, 3.93 * pitch, 9.2 * pitch), sizes, (ring, ring / 4, ring / 10))

    return _tune(rng, n_samples, sample_rate, rng.uniform(230, 330), rng.uniform(0.14, 0.24), bar)


def violin(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A bowed string with wide vibrato and all harmonics; float64 (n_samples,)."""
    beat, vibrato = rng.uniform(0.5, 1.0), rng.uniform(5, 7)
    length = int(1.02 * beat * sample_rate)
    wave = np.sin(2 * np.pi * vibrato * time_axis(length, sample_rate))
    sawtooth = [1 / order for order in range(1, 25)]

    def bow(pitch: float) -> Signal:
        sweep = contour(length, (0.97, 1.0, 1.0, 1.0, 1.0, 1.0))
        return harmonic_tone(pitch * sweep * (1 + 0.01 * wave), sample_rate, sawtooth) * plateau(
            length, sample_rate, 0.08, 0.06
        )

    strings = _tune(rng, n_samples, sample_rate, rng.uniform(290, 380), beat, bow)
    body = resonances((460, 700, 2700, 3600), (120, 200, 900, 900), (0.7, 0.7, 1.2, 0.8), floor=0.3)
    scrape = noise(rng, n_samples, sample_rate, band(2000, 6000))
    return unit(filtered(strings, sample_rate, body)) + 0.02 * scrape


def trumpet(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Tongued brass notes that grow brighter as they grow louder; float64 (n_samples,)."""
    beat = rng.uniform(0.22, 0.45)
    length = int(0.85 * beat * sample_rate)
    dull = [0.6, 1.0, 0.7, 0.35, 0.1]
    bright = [0.4, 0.8, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25]
    swell = plateau(length, sample_rate, 0.07, 0.06)

    def note(pitch: float) -> Signal:
        frequency = pitch * contour(length, (0.985, 1.0, 1.0, 1.0))
        return swell * (
            (1 - swell) * harmonic_tone(frequency, sample_rate, dull)
            + swell * harmonic_tone(frequency, sample_rate, bright)
        )

    return _tune(rng, n_samples, sample_rate, rng.uniform(280, 350), beat, note)


def drum_roll(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A snare drum rolled without a break, swelling and fading; float64 (n_samples,)."""
    length = int(0.12 * sample_rate)
    pitch = rng.uniform(170, 230)
    skin = modes(length, sample_rate, (pitch, 1.6 * pitch, 2.3 * pitch), (1.0, 0.6, 0.3), (0.03, 0.02, 0.02))
    starts = onsets(rng, n_samples / sample_rate, 1 / rng.uniform(17, 25), jitter=0.2)
    strokes = []
    for gain in rng.uniform(0.6, 1.0, len(starts)):
        wires = noise(rng, length, sample_rate, band(1000, 6000, order=1)) * strike(length, sample_rate, 0.001, 0.025)
        strokes.append(gain * (0.6 * skin + 0.5 * wires))
    return place(n_samples, sample_rate, starts, strokes) * wander(rng, n_samples, sample_rate, 1.0, 0.4, 1.0)


def electric_guitar(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Power chords through an overdriven amplifier; float64 (n_samples,)."""
    beat, drive = rng.uniform(0.35, 0.8), rng.uniform(4.0, 8.0)
    lowest = rng.uniform(75, 100)
    starts = onsets(rng, n_samples / sample_rate, beat)
    roots = lowest * 2 ** (rng.choice([0, 3, 5, 7], len(starts)) / 12)
    time = time_axis(n_samples, sample_rate)
    root = roots[np.clip(np.searchsorted(starts, time, side="right") - 1, 0, None)]
    strings = sum(
        (unit(voice(rng, ratio * root, sample_rate, 0.02, bandwidth=2500)) for ratio in (1.0, 1.498, 2.003)),
        np.zeros(n_samples),
    )
    muted = gate(n_samples, sample_rate, starts, 0.93 * beat, 0.015)
    # Clipping the sum, not each string, makes the beating growl that tells a power chord.
    distorted = np.tanh(drive * muted * strings)
    return filtered(distorted, sample_rate, band(90, 4200, order=2)) * muted
