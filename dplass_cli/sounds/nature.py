"""Weather, water and fire: noises that differ in colour and in how they come and go."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import (
    Signal,
    band,
    contour,
    crackle,
    gate,
    noise,
    onsets,
    phase_of,
    repeat,
    resonances,
    strike,
    time_axis,
    unit,
    wander,
)


def rain(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A dense even patter of drops; float64 (n_samples,)."""
    ground = resonances((rng.uniform(1500, 2200), 5000), (1500, 4000), (1.0, 0.7))
    patter = crackle(rng, n_samples, sample_rate, rng.uniform(1200, 2500), 0.9, ground)
    sheet = noise(rng, n_samples, sample_rate, band(900, 9000, order=1))
    return patter + rng.uniform(0.3, 0.6) * sheet


def wind(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Gusts: a low rush in which a hollow tone climbs with the strength; float64 (n_samples,)."""
    gust = wander(rng, n_samples, sample_rate, rng.uniform(0.7, 1.3), 0.15, 1.0)
    rush = noise(rng, n_samples, sample_rate, band(60, 350, order=1))
    # Noise of a few Hz on a moving carrier is a narrow band of noise whose centre can follow the gust.
    flicker = noise(rng, n_samples, sample_rate, band(1, 25, order=2))
    howl = flicker * np.sin(phase_of(rng.uniform(300, 420) * (0.8 + 0.6 * gust), sample_rate))
    gusts: Signal = gust * (rush + 0.9 * gust * howl)
    return gusts


def sea_waves(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Waves that build up, break with a bright wash and draw back; float64 (n_samples,)."""
    period = rng.uniform(2.2, 3.5)
    place_in_wave = np.mod(time_axis(n_samples, sample_rate) / period + rng.uniform(), 1.0)
    swell = np.interp(place_in_wave, (0, 0.35, 0.45, 1.0), (0.08, 0.5, 1.0, 0.08))
    deep = noise(rng, n_samples, sample_rate, band(100, 700, order=1))
    wash = noise(rng, n_samples, sample_rate, band(1000, 6000, order=1))
    waves: Signal = swell * deep + 1.2 * swell**2 * wash + 0.02 * deep
    return waves


def thunder(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Claps that roll away as a long deep rumble; float64 (n_samples,)."""
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(1.8, 2.8), jitter=0.2)
    length = int(2.5 * sample_rate)
    clap = noise(rng, length, sample_rate, band(40, 900, order=1)) * strike(length, sample_rate, 0.01, 0.15)
    roll = noise(rng, length, sample_rate, band(25, 110, order=2)) * strike(length, sample_rate, 0.15, 1.0)
    rolling = roll * wander(rng, length, sample_rate, 6.0, 0.2, 1.0)
    return repeat(rng, n_samples, sample_rate, starts, [0.8 * clap + 1.5 * rolling], 0.6)


def fire(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Sharp crackles of very unlike strength over a soft roar; float64 (n_samples,)."""
    body = resonances((1800, 4200), (700, 1500))
    snaps = crackle(rng, n_samples, sample_rate, rng.uniform(18, 40), 1.3, body)
    roar = noise(rng, n_samples, sample_rate, band(60, 300, order=1))
    return snaps + 0.25 * roar * wander(rng, n_samples, sample_rate, 5.0, 0.4, 1.0)


def stream(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Many bubbles of rising pitch: the babbling of a brook; float64 (n_samples,)."""
    takes = []
    for pitch in rng.uniform(450, 1500, 10):
        length = int(rng.uniform(0.04, 0.1) * sample_rate)
        bubble = np.sin(phase_of(pitch * contour(length, (1.0, 1.1, 1.3)), sample_rate))
        takes.append(bubble * strike(length, sample_rate, 0.004, 0.02))
    starts = onsets(rng, n_samples / sample_rate, 1 / rng.uniform(45, 80), jitter=3.0)
    flow = noise(rng, n_samples, sample_rate, band(400, 3000, order=1))
    return unit(repeat(rng, n_samples, sample_rate, starts, takes, 0.1)) + 0.15 * flow


def leaves(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Dry leaves that rustle in short swishes; float64 (n_samples,)."""
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.3, 0.5), jitter=0.2)
    dry = band(2500, 10000, order=2)
    swish = gate(n_samples, sample_rate, starts, rng.uniform(0.18, 0.28), 0.08)
    return (0.04 + swish) * crackle(rng, n_samples, sample_rate, rng.uniform(400, 800), 0.8, dry)


def waterfall(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A steady broad roar without any grain; float64 (n_samples,)."""
    body = noise(rng, n_samples, sample_rate, band(rng.uniform(120, 200), rng.uniform(1200, 1800), order=1))
    spray = noise(rng, n_samples, sample_rate, band(2000, 8000, order=1))
    return (body + 0.25 * spray) * wander(rng, n_samples, sample_rate, 3.0, 0.9, 1.0)
