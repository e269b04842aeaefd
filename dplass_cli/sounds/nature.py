"""Weather, water and fire: noises that differ in colour and in how they come and go."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import Signal, SyntheticClip, band, resonances, unit


def rain(clip: SyntheticClip) -> Signal:
    """A dense even patter of drops."""
    ground = resonances((clip.uniform(1500, 2200), 5000), (1500, 4000), (1.0, 0.7))
    patter = clip.crackle(clip.uniform(1200, 2500), 0.9, ground)
    sheet = clip.noise(band(900, 9000, order=1))
    return patter + clip.uniform(0.3, 0.6) * sheet


def wind(clip: SyntheticClip) -> Signal:
    """Gusts: a low rush in which a hollow tone climbs with the strength."""
    gust = clip.wander(clip.uniform(0.7, 1.3), 0.15, 1.0)
    rush = clip.noise(band(60, 350, order=1))
    # Noise of a few Hz on a moving carrier is a narrow band of noise whose centre can follow the gust.
    flicker = clip.noise(band(1, 25, order=2))
    howl = flicker * np.sin(clip.phase_of(clip.uniform(300, 420) * (0.8 + 0.6 * gust)))
    gusts: Signal = gust * (rush + 0.9 * gust * howl)
    return gusts


def sea_waves(clip: SyntheticClip) -> Signal:
    """Waves that build up, break with a bright wash and draw back."""
    period = clip.uniform(2.2, 3.5)
    place_in_wave = np.mod(clip.time / period + clip.uniform(), 1.0)
    swell = np.interp(place_in_wave, (0, 0.35, 0.45, 1.0), (0.08, 0.5, 1.0, 0.08))
    deep = clip.noise(band(100, 700, order=1))
    wash = clip.noise(band(1000, 6000, order=1))
    waves: Signal = swell * deep + 1.2 * swell**2 * wash + 0.02 * deep
    return waves


def thunder(clip: SyntheticClip) -> Signal:
    """Claps that roll away as a long deep rumble."""
    starts = clip.onsets(clip.uniform(1.8, 2.8), jitter=0.2)
    part = clip.part(2.5)
    clap = part.noise(band(40, 900, order=1)) * part.strike(0.01, 0.15)
    roll = part.noise(band(25, 110, order=2)) * part.strike(0.15, 1.0)
    rolling = roll * part.wander(6.0, 0.2, 1.0)
    return clip.repeat(starts, [0.8 * clap + 1.5 * rolling], 0.6)


def fire(clip: SyntheticClip) -> Signal:
    """Sharp crackles of very unlike strength over a soft roar."""
    body = resonances((1800, 4200), (700, 1500))
    snaps = clip.crackle(clip.uniform(18, 40), 1.3, body)
    roar = clip.noise(band(60, 300, order=1))
    return snaps + 0.25 * roar * clip.wander(5.0, 0.4, 1.0)


def stream(clip: SyntheticClip) -> Signal:
    """Many bubbles of rising pitch: the babbling of a brook."""
    takes = []
    for pitch in clip.rng.uniform(450, 1500, 10):
        part = clip.part(clip.uniform(0.04, 0.1))
        bubble = np.sin(clip.phase_of(pitch * part.contour((1.0, 1.1, 1.3))))
        takes.append(bubble * part.strike(0.004, 0.02))
    starts = clip.onsets(1 / clip.uniform(45, 80), jitter=3.0)
    flow = clip.noise(band(400, 3000, order=1))
    return unit(clip.repeat(starts, takes, 0.1)) + 0.15 * flow


def leaves(clip: SyntheticClip) -> Signal:
    """Dry leaves that rustle in short swishes."""
    starts = clip.onsets(clip.uniform(0.3, 0.5), jitter=0.2)
    dry = band(2500, 10000, order=2)
    swish = clip.gate(starts, clip.uniform(0.18, 0.28), 0.08)
    return (0.04 + swish) * clip.crackle(clip.uniform(400, 800), 0.8, dry)


def waterfall(clip: SyntheticClip) -> Signal:
    """A steady broad roar without any grain."""
    body = clip.noise(band(clip.uniform(120, 200), clip.uniform(1200, 1800), order=1))
    spray = clip.noise(band(2000, 8000, order=1))
    return (body + 0.25 * spray) * clip.wander(3.0, 0.9, 1.0)
