"""Musical instruments: plucked, blown, bowed and struck, each playing a small random figure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dplass_cli.sounds.synthesis import Signal, SyntheticClip, band, resonances, unit

_SCALE = (0, 2, 4, 7, 9, 12, 14, 16)  # two octaves of a pentatonic scale: any order of its notes sounds like a tune


def _melody(clip: SyntheticClip, count: int, lowest: float) -> Signal:
    """``count`` frequencies in Hz of a random walk on the scale above ``lowest``."""
    walk = np.abs(clip.rng.integers(0, len(_SCALE)) + np.cumsum(clip.rng.integers(-2, 3, count))) % len(_SCALE)
    melody: Signal = lowest * 2 ** (np.array(_SCALE)[walk] / 12)
    return melody


def _tune(
    clip: SyntheticClip,
    lowest: float,
    beat: float,
    note: Callable[[float], Signal],
) -> Signal:
    """Play one ``note(frequency)`` per beat (seconds), following a random melody."""
    starts = clip.onsets(beat, jitter=0.05)
    notes = [note(float(pitch)) for pitch in _melody(clip, len(starts), lowest)]
    return clip.place(starts, notes)


def _pluck(clip: SyntheticClip, pitch: float, softness: float) -> Signal:
    """One string by Karplus and Strong: a burst of noise that a loop of one period smooths and damps."""
    period = max(4, round(clip.sample_rate / pitch))
    current = clip.filtered(clip.rng.standard_normal(period), band(50, 5000, order=1))
    loss = 10 ** (-3 / (pitch * clip.uniform(2.0, 3.5)))  # -60 dB after two to three and a half seconds
    periods = -(-clip.n_samples // period)
    string = np.empty((periods, period))
    last = 0.0
    for index in range(periods):
        string[index] = current
        neighbour = np.concatenate(([last], current[:-1]))
        last = current[-1]
        current = loss * ((1 - softness) * current + softness * neighbour)
    return unit(string.ravel()[: clip.n_samples]) * clip.plateau(0.002, 0.05)


def acoustic_guitar(clip: SyntheticClip) -> Signal:
    """Finger-picked strings on a wooden body."""
    softness = clip.uniform(0.2, 0.5)
    part = clip.part(1.2)
    strings = _tune(clip, clip.uniform(98, 150), clip.uniform(0.2, 0.36), lambda pitch: _pluck(part, pitch, softness))
    return clip.filtered(strings, resonances((110, 220, 420), (60, 80, 150), (0.8, 0.6, 0.4), floor=0.5))


def flute(clip: SyntheticClip) -> Signal:
    """Nearly pure tones with vibrato and breath."""
    beat, vibrato = clip.uniform(0.35, 0.7), clip.uniform(4.5, 6.0)
    part = clip.part(0.97 * beat)
    wave = np.sin(2 * np.pi * vibrato * part.time)
    amplitudes = (1.0, clip.uniform(0.15, 0.3), clip.uniform(0.05, 0.15), 0.02)

    def note(pitch: float) -> Signal:
        air = part.noise(resonances((pitch, 2 * pitch), (pitch / 3, pitch)))
        blown: Signal = clip.harmonic_tone(pitch * (1 + 0.006 * wave), amplitudes) * (1 + 0.15 * wave)
        blown = (blown + 0.05 * air) * part.plateau(0.06, 0.08)
        return blown

    return _tune(clip, clip.uniform(520, 660), beat, note)


def organ(clip: SyntheticClip) -> Signal:
    """Chords of pipes at octaves and fifths, as steady as only pipes are."""
    beat = clip.uniform(0.9, 1.6)
    part = clip.part(beat)
    stops = [0.0] * 16
    ranks = ((1, 0.8, 1.0), (2, 0.6, 1.0), (3, 0.2, 0.5), (4, 0.5, 0.9), (8, 0.4, 0.7), (16, 0.2, 0.4))
    for harmonic, low, high in ranks:
        stops[harmonic - 1] = clip.uniform(low, high)

    def chord(root: float) -> Signal:
        ratios = (0.5, 1.0, clip.rng.choice([1.2, 1.25]), 1.5)
        pipes = sum((clip.harmonic_tone(part.steady(root * ratio), stops) for ratio in ratios), part.silence)
        return pipes * part.plateau(0.03, 0.05)

    return _tune(clip, clip.uniform(230, 290), beat, chord)


def bass_drum(clip: SyntheticClip) -> Signal:
    """Beats of a large drum whose pitch drops after each stroke."""
    part = clip.part(0.45)
    pitch, drop = clip.uniform(45, 65), clip.uniform(1.0, 2.5)
    frequency = pitch * (1 + drop * np.exp(-part.time / 0.03))
    drum = np.sin(clip.phase_of(frequency)) * part.strike(0.002, clip.uniform(0.12, 0.2))
    beater = part.noise(band(300, 1500)) * part.strike(0.001, 0.006)
    starts = clip.onsets(clip.uniform(0.28, 0.5), jitter=0.02)
    gains = clip.rng.choice([1.0, 0.8, 0.6], len(starts))
    return clip.place(starts, [gain * (drum + 0.15 * beater) for gain in gains])


def hi_hat(clip: SyntheticClip) -> Signal:
    """Closed strokes with an open one now and then."""
    part = clip.part(0.4)
    metal = part.noise(band(clip.uniform(6000, 7000), 14000, order=6))
    strokes = [metal * part.strike(0.001, decay) for decay in (clip.uniform(0.02, 0.05), 0.15)]
    starts = clip.onsets(clip.uniform(0.12, 0.22))
    accents = np.where(np.arange(len(starts)) % 2 == 0, 1.0, clip.uniform(0.4, 0.8))
    opened = np.arange(len(starts)) % 8 == 6
    return clip.place(starts, [gain * strokes[int(o)] for gain, o in zip(accents, opened, strict=True)])


def marimba(clip: SyntheticClip) -> Signal:
    """Wooden bars, whose second mode is two octaves above the first."""
    part = clip.part(0.5)
    hardness, ring = clip.uniform(0.15, 0.4), clip.uniform(0.12, 0.22)

    def bar(pitch: float) -> Signal:
        sizes = (1.0, hardness, hardness / 2)
        return part.modes((pitch, 3.93 * pitch, 9.2 * pitch), sizes, (ring, ring / 4, ring / 10))

    return _tune(clip, clip.uniform(230, 330), clip.uniform(0.14, 0.24), bar)


def violin(clip: SyntheticClip) -> Signal:
    """A bowed string with wide vibrato and all harmonics."""
    beat, vibrato = clip.uniform(0.5, 1.0), clip.uniform(5, 7)
    part = clip.part(1.02 * beat)
    wave = np.sin(2 * np.pi * vibrato * part.time)
    sawtooth = [1 / order for order in range(1, 25)]

    def bow(pitch: float) -> Signal:
        sweep = part.contour((0.97, 1.0, 1.0, 1.0, 1.0, 1.0))
        return clip.harmonic_tone(pitch * sweep * (1 + 0.01 * wave), sawtooth) * part.plateau(0.08, 0.06)

    strings = _tune(clip, clip.uniform(290, 380), beat, bow)
    body = resonances((460, 700, 2700, 3600), (120, 200, 900, 900), (0.7, 0.7, 1.2, 0.8), floor=0.3)
    scrape = clip.noise(band(2000, 6000))
    return unit(clip.filtered(strings, body)) + 0.02 * scrape


def trumpet(clip: SyntheticClip) -> Signal:
    """Tongued brass notes that grow brighter as they grow louder."""
    beat = clip.uniform(0.22, 0.45)
    part = clip.part(0.85 * beat)
    dull = [0.6, 1.0, 0.7, 0.35, 0.1]
    bright = [0.4, 0.8, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25]
    swell = part.plateau(0.07, 0.06)

    def note(pitch: float) -> Signal:
        frequency = pitch * part.contour((0.985, 1.0, 1.0, 1.0))
        return swell * (
            (1 - swell) * clip.harmonic_tone(frequency, dull) + swell * clip.harmonic_tone(frequency, bright)
        )

    return _tune(clip, clip.uniform(280, 350), beat, note)


def drum_roll(clip: SyntheticClip) -> Signal:
    """A snare drum rolled without a break, swelling and fading."""
    part = clip.part(0.12)
    pitch = clip.uniform(170, 230)
    skin = part.modes((pitch, 1.6 * pitch, 2.3 * pitch), (1.0, 0.6, 0.3), (0.03, 0.02, 0.02))
    starts = clip.onsets(1 / clip.uniform(17, 25), jitter=0.2)
    strokes = []
    for gain in clip.rng.uniform(0.6, 1.0, len(starts)):
        wires = part.noise(band(1000, 6000, order=1)) * part.strike(0.001, 0.025)
        strokes.append(gain * (0.6 * skin + 0.5 * wires))
    return clip.place(starts, strokes) * clip.wander(1.0, 0.4, 1.0)


def electric_guitar(clip: SyntheticClip) -> Signal:
    """Power chords through an overdriven amplifier."""
    beat, drive = clip.uniform(0.35, 0.8), clip.uniform(4.0, 8.0)
    lowest = clip.uniform(75, 100)
    starts = clip.onsets(beat)
    roots = lowest * 2 ** (clip.rng.choice([0, 3, 5, 7], len(starts)) / 12)
    time = clip.time
    root = roots[np.clip(np.searchsorted(starts, time, side="right") - 1, 0, None)]
    strings = sum((unit(clip.voice(ratio * root, 0.02, bandwidth=2500)) for ratio in (1.0, 1.498, 2.003)), clip.silence)
    muted = clip.gate(starts, 0.93 * beat, 0.015)
    # Clipping the sum, not each string, makes the beating growl that tells a power chord.
    distorted = np.tanh(drive * muted * strings)
    return clip.filtered(distorted, band(90, 4200, order=2)) * muted
