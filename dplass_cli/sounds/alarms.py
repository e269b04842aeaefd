"""Alarms, bells and signals: steady electronic tones in fixed rhythms, and struck metal."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import Signal, SyntheticClip, band, resonances, unit

_SQUARE = (1.0, 0.0, 0.33, 0.0, 0.2, 0.0, 0.14)  # odd harmonics: the cheap buzzer of an electronic beeper


def _beeps(clip: SyntheticClip, tone: Signal, period: float, length: float, group: int) -> Signal:
    """Cut ``tone`` (n,) into beeps of ``length`` every ``period`` seconds, in groups with a rest between."""
    starts = clip.onsets(period)
    if group > 1:
        starts = starts[np.arange(len(starts)) % (group + 1) != group]
    return tone * clip.gate(starts, length, 0.004)


def siren(clip: SyntheticClip) -> Signal:
    """A wailing sweep between about 550 and 1400 Hz."""
    low, high, rate = clip.uniform(500, 650), clip.uniform(1200, 1600), clip.uniform(0.3, 0.9)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * (rate * clip.time + clip.uniform()))
    return clip.harmonic_tone(low * (high / low) ** swing, (1.0, 0.5, 0.4, 0.2, 0.1))


def smoke_alarm(clip: SyntheticClip) -> Signal:
    """Piercing beeps near 3.2 kHz in threes."""
    tone = clip.harmonic_tone(clip.steady(clip.uniform(3000, 3500)), (1.0, 0.2, 0.1))
    period = clip.uniform(0.28, 0.5)
    return _beeps(clip, tone, period, 0.6 * period, group=3)


def telephone(clip: SyntheticClip) -> Signal:
    """Two small gongs struck in turn by a fast clapper, ringing and resting."""
    low, rate = clip.uniform(1150, 1450), clip.uniform(18, 24)
    part = clip.part(0.25)
    gongs = [
        part.modes((pitch, 2.7 * pitch, 4.9 * pitch), (1.0, 0.7, 0.35), (0.12, 0.08, 0.04))
        for pitch in (low, clip.uniform(1.2, 1.3) * low)
    ]
    starts = clip.onsets(1 / rate)
    ring, rest = clip.uniform(1.0, 1.6), clip.uniform(0.4, 0.8)
    starts = starts[np.mod(starts, ring + rest) < ring]
    return clip.place(starts, [gongs[index % 2] for index in range(len(starts))])


def church_bell(clip: SyntheticClip) -> Signal:
    """A large bell with hum, prime, minor third, fifth and octave."""
    prime = clip.uniform(260, 400)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.0, 4.1]) * clip.rng.uniform(0.995, 1.005, 8)
    decays = clip.uniform(0.9, 1.4) * np.array([2.0, 1.2, 0.9, 0.6, 0.7, 0.4, 0.3, 0.2])
    sizes = np.array([0.5, 0.7, 0.8, 0.4, 1.0, 0.4, 0.4, 0.25])
    part = clip.part(3.0)
    bell = part.modes((prime * ratios).tolist(), sizes.tolist(), decays.tolist())
    starts = clip.onsets(clip.uniform(1.1, 1.8), jitter=0.04)
    return clip.repeat(starts, [bell], 0.7)


def alarm_clock(clip: SyntheticClip) -> Signal:
    """Bursts of four fast beeps of a square wave near 2 kHz."""
    tone = clip.harmonic_tone(clip.steady(clip.uniform(1850, 2250)), _SQUARE)
    period = clip.uniform(0.1, 0.14)
    return _beeps(clip, tone, period, 0.5 * period, group=4)


def bicycle_bell(clip: SyntheticClip) -> Signal:
    """A thumbed bell: a trill of small strokes that rings on above 2.5 kHz."""
    pitch = clip.uniform(2300, 2900)
    part = clip.part(0.9)
    ring = clip.uniform(0.2, 0.35)
    bell = part.modes((pitch, 1.006 * pitch, 2.35 * pitch), (1.0, 0.8, 0.6), (ring, ring, ring / 2))
    period = clip.uniform(0.7, 1.1)
    thumbed = clip.onsets(period, jitter=0.1)
    trill = np.arange(clip.rng.integers(3, 6)) * clip.uniform(0.035, 0.06)
    starts = (thumbed[:, None] + trill[None, :]).ravel()
    return clip.repeat(starts, [bell], 0.4)


def reversing_beeps(clip: SyntheticClip) -> Signal:
    """A lorry's loud beep near 1.2 kHz, on and off about once a second."""
    tone = clip.harmonic_tone(clip.steady(clip.uniform(1100, 1350)), (1.0, 0.1, 0.5, 0.05, 0.2))
    period = clip.uniform(0.8, 1.1)
    return _beeps(clip, tone, period, 0.5 * period, group=1)


def busy_signal(clip: SyntheticClip) -> Signal:
    """The telephone's two low tones, on and off in even time."""
    detune = clip.uniform(0.94, 1.06)
    tone = clip.harmonic_tone(clip.steady(480 * detune), (1.0,))
    tone += clip.harmonic_tone(clip.steady(620 * detune), (1.0,))
    line = clip.noise(band(300, 3400))
    period = clip.uniform(0.45, 0.9)
    return _beeps(clip, tone, period, 0.5 * period, group=1) + 0.01 * line


def doorbell(clip: SyntheticClip) -> Signal:
    """Ding-dong: two struck bars a third apart, the high one first."""
    pitch, gap = clip.uniform(620, 760), clip.uniform(0.45, 0.6)
    part = clip.part(1.2)
    ding, dong = (
        part.modes((base, 2.76 * base, 5.4 * base), (1.0, 0.25, 0.1), (0.45, 0.2, 0.08))
        for base in (pitch, pitch / 1.26)
    )
    pressed = clip.onsets(clip.uniform(1.3, 1.8))
    return clip.place(pressed, [ding] * len(pressed)) + clip.place(pressed + gap, [dong] * len(pressed))


def foghorn(clip: SyntheticClip) -> Signal:
    """Very low blasts of a ship in fog that sag at the end."""
    pitch, period = clip.uniform(70, 95), clip.uniform(1.6, 2.4)
    part = clip.part(0.8 * period)
    reed = clip.harmonic_tone(pitch * part.contour((0.97, 1, 1, 1, 1, 0.9)), [1 / k for k in range(1, 20)])
    horn = resonances((160, 330, 700), (80, 150, 300), (1.0, 0.7, 0.2))
    blast = unit(clip.filtered(reed, horn)) * part.plateau(0.1, 0.15)
    return clip.repeat(clip.onsets(period), [blast], 0.8)
