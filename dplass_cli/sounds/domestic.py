"""Sounds of the home: small knocks and clicks, motors, and water and fat."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import (
    Signal,
    band,
    contour,
    crackle,
    gate,
    harmonic_tone,
    modes,
    noise,
    onsets,
    phase_of,
    place,
    repeat,
    resonances,
    steady,
    strike,
    time_axis,
    unit,
    wander,
)


def clock(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """The two unlike clicks of a clockwork, in even time; float64 (n_samples,)."""
    length = int(0.12 * sample_rate)
    pitch = rng.uniform(2000, 2800)
    ring = rng.uniform(0.006, 0.012)
    clicks = [
        modes(length, sample_rate, (base, 1.53 * base, 0.35 * base), (1.0, 0.7, 0.5), (ring, 0.6 * ring, 3 * ring))
        for base in (pitch, rng.uniform(0.75, 0.88) * pitch)
    ]
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.3, 0.55))
    ticks = place(n_samples, sample_rate, starts, [clicks[index % 2] for index in range(len(starts))])
    # The hush of the room: without it the pauses would be digital silence, which no recording has.
    return ticks + 0.003 * noise(rng, n_samples, sample_rate, band(100, 1000, order=1))


def vacuum_cleaner(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A motor's whine over a strong steady rush of air; float64 (n_samples,)."""
    whine = rng.uniform(380, 520) * wander(rng, n_samples, sample_rate, 1.0, 0.98, 1.03)
    motor = harmonic_tone(whine, sample_rate, (1.0, 0.7, 0.3, 0.4, 0.2, 0.1))
    nozzle = resonances((rng.uniform(700, 900), rng.uniform(2000, 2600)), (500, 1500), (1.0, 0.6), floor=0.15)
    return 0.35 * motor + noise(rng, n_samples, sample_rate, nozzle) * wander(rng, n_samples, sample_rate, 2.0, 0.8, 1)


def door_knock(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Knuckles on a wooden door, three to five knocks at a time; float64 (n_samples,)."""
    length = int(0.2 * sample_rate)
    wood = rng.uniform(130, 210)
    takes = []
    for _ in range(3):
        panel = modes(length, sample_rate, (wood, 2.1 * wood, 3.7 * wood), (1.0, 0.7, 0.4), (0.045, 0.025, 0.015))
        knuckle = noise(rng, length, sample_rate, band(400, 1600)) * strike(length, sample_rate, 0.001, 0.008)
        takes.append(panel + rng.uniform(0.3, 0.5) * knuckle)
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.17, 0.26), jitter=0.1)
    group = rng.integers(3, 6)
    starts = starts[np.arange(len(starts)) % (group + 2) < group]
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.6)


def typing(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Keys going down and up at the uneven pace of a quick typist; float64 (n_samples,)."""
    length = int(0.06 * sample_rate)
    plastic = rng.uniform(2600, 3600)
    takes = []
    for shift in rng.uniform(0.85, 1.2, 4):
        shell = resonances((plastic * shift, 1.8 * plastic * shift, 900 * shift), (900, 1500, 300), (1.0, 0.7, 0.4))
        takes.append(noise(rng, length, sample_rate, shell) * strike(length, sample_rate, 0.0008, 0.006))
    down = np.sort(onsets(rng, n_samples / sample_rate, 1 / rng.uniform(7, 11), jitter=0.9))
    keys = repeat(rng, n_samples, sample_rate, down, takes, 0.5)
    release = repeat(rng, n_samples, sample_rate, down + rng.uniform(0.05, 0.08), takes, 0.8)
    return keys + 0.3 * release


def pouring(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Water into a glass: the air column's pitch climbs while the glass fills; float64 (n_samples,)."""
    fill = rng.uniform(2.0, 3.5)
    start, stop = rng.uniform(450, 600), rng.uniform(1800, 2400)
    level = np.mod(time_axis(n_samples, sample_rate) / fill + rng.uniform(0, 0.3), 1.0)
    column = start * (stop / start) ** level
    # The rising resonance is noise moved up to the column's pitch by a carrier with a wandering phase.
    flicker = noise(rng, n_samples, sample_rate, band(2, 60, order=2))
    carrier = np.sin(phase_of(column * wander(rng, n_samples, sample_rate, 40.0, 0.94, 1.06), sample_rate))
    splash = noise(rng, n_samples, sample_rate, band(1500, 7000, order=1))
    return carrier * flicker + 0.25 * splash * (1 + 0.3 * flicker)


def frying(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Fat that hisses and spits; float64 (n_samples,)."""
    hiss = noise(rng, n_samples, sample_rate, band(rng.uniform(3500, 4500), 12000, order=2))
    fat = resonances((5000, 7000), (2500, 3000))
    spits = crackle(rng, n_samples, sample_rate, rng.uniform(60, 140), 1.0, fat)
    return hiss * wander(rng, n_samples, sample_rate, 6.0, 0.5, 1.0) + 0.9 * spits


def dishes(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Plates and cutlery that clink against each other; float64 (n_samples,)."""
    length = int(0.35 * sample_rate)
    takes = []
    for base in rng.uniform(1500, 3200, 5):
        ratios = np.array([1.0, 1.47, 2.09, 2.56, 3.3])
        decays = rng.uniform(0.03, 0.1) * np.array([1.0, 0.8, 0.7, 0.5, 0.4])
        takes.append(modes(length, sample_rate, (base * ratios).tolist(), (1.0, 0.8, 0.9, 0.6, 0.5), decays.tolist()))
    starts = np.sort(onsets(rng, n_samples / sample_rate, 1 / rng.uniform(4, 7), jitter=1.2))
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.25)


def sawing(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Strokes of a hand saw, forward loud and backward soft; float64 (n_samples,)."""
    stroke = 1 / rng.uniform(1.6, 2.6)
    starts = onsets(rng, n_samples / sample_rate, stroke, jitter=0.05)
    forward = gate(n_samples, sample_rate, starts, 0.5 * stroke, 0.06)
    backward = gate(n_samples, sample_rate, starts + 0.55 * stroke, 0.35 * stroke, 0.06)
    teeth = harmonic_tone(rng.uniform(110, 160) * (0.6 + forward), sample_rate, (1.0, 0.5, 0.3))
    wood = resonances((rng.uniform(1000, 1400), rng.uniform(2400, 3000)), (500, 900), (1.0, 0.8), floor=0.05)
    rasp = noise(rng, n_samples, sample_rate, wood)
    rasp *= 1 + 0.7 * teeth
    rasp *= forward + 0.25 * backward
    return rasp


def dripping(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Drops into a basin: each a bubble whose pitch jumps up; float64 (n_samples,)."""
    length = int(0.14 * sample_rate)
    takes = []
    for pitch in rng.uniform(700, 1100, 3):
        bubble = np.sin(phase_of(pitch * contour(length, (1.0, 1.35, 1.7, 1.9)), sample_rate))
        takes.append(bubble * strike(length, sample_rate, 0.002, rng.uniform(0.025, 0.045)))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.2, 0.35), jitter=0.3)
    hush = noise(rng, n_samples, sample_rate, band(200, 1500, order=1))
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.5) + 0.003 * hush


def hammering(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A hammer on a nail in wood: a thud, and a ring that climbs as the nail goes in; float64 (n_samples,)."""
    length = int(0.3 * sample_rate)
    wood, steel = rng.uniform(220, 320), rng.uniform(3000, 3800)
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.35, 0.55), jitter=0.06)
    blows = []
    for index in range(len(starts)):
        nail = steel * (1 + 0.03 * (index % 8))
        ringing = modes(length, sample_rate, (nail, 1.7 * nail), (1.0, 0.5), (0.05, 0.03))
        thud = modes(length, sample_rate, (wood, 2.4 * wood), (1.0, 0.5), (0.03, 0.02))
        crack = noise(rng, length, sample_rate, band(500, 8000, order=1)) * strike(length, sample_rate, 0.0005, 0.006)
        blows.append(rng.uniform(0.7, 1.0) * (0.5 * ringing + thud + 0.6 * crack))
    return place(n_samples, sample_rate, starts, blows)


def mains_hum(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A transformer's hum at 100 or 120 Hz and its harmonics; float64 (n_samples,)."""
    base = float(rng.choice([50.0, 60.0])) * rng.uniform(0.998, 1.002)
    sizes = [0.5, 1.0, 0.1, 0.5, 0.05, 0.3, 0.05, 0.15, 0.02, 0.1]
    hum = harmonic_tone(steady(n_samples, base), sample_rate, [size * rng.uniform(0.5, 1.5) for size in sizes])
    hiss = noise(rng, n_samples, sample_rate, band(100, 3000, order=1))
    return unit(hum) * wander(rng, n_samples, sample_rate, 0.7, 0.85, 1.0) + 0.008 * hiss
