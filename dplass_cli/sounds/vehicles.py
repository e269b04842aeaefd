"""Engines, rotors, horns and wheels."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import (
    Response,
    Signal,
    band,
    filtered,
    gate,
    harmonic_tone,
    modes,
    noise,
    onsets,
    phase_of,
    place,
    plateau,
    pulse_train,
    repeat,
    resonances,
    steady,
    strike,
    time_axis,
    unit,
    wander,
)


def _engine(
    rng: np.random.Generator, firing: Signal, sample_rate: int, pipe: Response, grit: float, bandwidth: float
) -> Signal:
    """Explosions at ``firing`` (Hz, float64 (n,)) through an exhaust pipe; ``grit`` is the share of noise in them."""
    pulses = pulse_train(firing, sample_rate, bandwidth)
    # No two explosions are alike, and gas rushes out with each: both make the pulses rough.
    uneven = wander(rng, len(firing), sample_rate, float(firing.mean()), 0.6, 1.0)
    rush = rng.standard_normal(len(firing)) * (0.3 + np.clip(pulses, 0, None) / (pulses.max() + 1e-9))
    return unit(filtered(unit(pulses * uneven) + grit * rush, sample_rate, pipe))


def car_idle(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A four-cylinder engine ticking over: a low throb; float64 (n_samples,)."""
    firing = rng.uniform(22, 32) * wander(rng, n_samples, sample_rate, 3.0, 0.96, 1.04)
    pipe = resonances((rng.uniform(60, 90), rng.uniform(160, 220), 420), (40, 80, 200), (1.0, 0.5, 0.2), floor=0.01)
    return _engine(rng, firing, sample_rate, pipe, 0.4, 500)


def helicopter(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Blades that slap the air about fourteen times a second, and a turbine; float64 (n_samples,)."""
    blades = rng.uniform(11, 17) * wander(rng, n_samples, sample_rate, 1.0, 0.98, 1.02)
    slap = 0.5 + 0.5 * np.cos(phase_of(blades, sample_rate))
    air = noise(rng, n_samples, sample_rate, band(60, rng.uniform(500, 800), order=1))
    turbine = harmonic_tone(steady(n_samples, rng.uniform(1600, 2400)), sample_rate, (1.0, 0.3))
    thump = np.sin(phase_of(blades * 5, sample_rate))
    rotor: Signal = (air + 0.7 * thump) * slap**4 + 0.1 * air + 0.04 * turbine
    return rotor


def motorcycle(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """An engine that is revved up again and again, through the gears; float64 (n_samples,)."""
    low, high, pull = rng.uniform(45, 60), rng.uniform(140, 200), rng.uniform(0.9, 1.6)
    gear = np.mod(time_axis(n_samples, sample_rate) / pull + rng.uniform(0, 0.5), 1.0)
    firing = low * (high / low) ** np.minimum(gear / 0.88, (1 - gear) / 0.12)
    pipe = resonances((180, 450, 1100, 2200), (120, 250, 500, 900), (1.0, 0.9, 0.6, 0.25), floor=0.03)
    return _engine(rng, firing, sample_rate, pipe, 0.35, 2500) * (0.5 + 0.5 * gear)


def _horn(
    rng: np.random.Generator, length: int, sample_rate: int, pitches: Signal, bright: float, fade: float
) -> Signal:
    """One blast of several trumpets; ``bright`` (0 to 1) is the ratio of each harmonic to the one before it."""
    sizes = [bright**order for order in range(20)]
    bend = wander(rng, length, sample_rate, 6.0, 0.997, 1.003)
    blown = np.sum([harmonic_tone(pitch * bend, sample_rate, sizes) for pitch in pitches], axis=0)
    blast: Signal = blown * plateau(length, sample_rate, fade, fade)
    return blast


def train_horn(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Long blasts of a five-note chord; float64 (n_samples,)."""
    period = rng.uniform(1.2, 2.0)
    pitches = rng.uniform(0.92, 1.08) * np.array([255.0, 311.0, 370.0, 440.0, 494.0])
    blast = _horn(rng, int(0.85 * period * sample_rate), sample_rate, pitches, 0.8, 0.08)
    starts = onsets(rng, n_samples / sample_rate, period, jitter=0.05)
    breath = noise(rng, n_samples, sample_rate, band(500, 3000))
    return repeat(rng, n_samples, sample_rate, starts, [unit(blast)], 0.85) + 0.03 * breath


def car_horn(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Short harsh honks of two close notes; float64 (n_samples,)."""
    pitches = rng.uniform(390, 460) * np.array([1.0, rng.uniform(1.18, 1.27)])
    disc = resonances((2600, 3400), (1200, 1500), floor=0.15)
    takes = []
    for length in (rng.uniform(0.15, 0.45, 2) * sample_rate).astype(int):
        takes.append(filtered(_horn(rng, length, sample_rate, pitches, 0.97, 0.012), sample_rate, disc))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.5, 0.75), jitter=0.1)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.85)


def chainsaw(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A two-stroke engine, raspy and bright, that slows down under load; float64 (n_samples,)."""
    firing = rng.uniform(115, 160) * wander(rng, n_samples, sample_rate, 2.0, 0.75, 1.15)
    pipe = resonances((500, 1400, 3200, 5000), (300, 700, 1200, 1800), (0.6, 1.0, 1.0, 0.6), floor=0.05)
    return _engine(rng, firing, sample_rate, pipe, 0.6, 4500)


def aeroplane(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A jet that passes overhead: a roar that swells and a whine that falls; float64 (n_samples,)."""
    passing = rng.uniform(0.3, 0.7) * n_samples / sample_rate
    offset = (time_axis(n_samples, sample_rate) - passing) / rng.uniform(1.5, 2.5)
    doppler = 1 - 0.12 * offset / np.sqrt(1 + offset**2)
    roar = noise(rng, n_samples, sample_rate, band(90, rng.uniform(600, 900), order=1))
    whine = harmonic_tone(rng.uniform(2200, 3000) * doppler, sample_rate, (1.0, 0.4))
    flyby: Signal = (roar + 0.1 * whine) / (0.6 + offset**2)
    return flyby


def train_wheels(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Wheels over rail joints, clickety-clack, above a rolling rumble; float64 (n_samples,)."""
    length = int(0.2 * sample_rate)
    steel = rng.uniform(420, 620)
    takes = []
    for _ in range(2):
        thud = modes(length, sample_rate, (95.0, steel, 2.3 * steel), (1.0, 0.8, 0.5), (0.04, 0.03, 0.02))
        scrape = noise(rng, length, sample_rate, band(800, 4000, order=1)) * strike(length, sample_rate, 0.001, 0.02)
        takes.append(thud + 0.5 * scrape)
    joints = onsets(rng, n_samples / sample_rate, 1 / rng.uniform(1.4, 2.2), jitter=0.02)
    pair, bogie = rng.uniform(0.08, 0.12), rng.uniform(0.2, 0.26)
    starts = (joints[:, None] + np.array([0.0, pair, bogie, bogie + pair])[None, :]).ravel()
    rumble = noise(rng, n_samples, sample_rate, band(40, 250, order=1))
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.6) + 0.12 * rumble


def tyre_squeal(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Skids: a screeching tone that trembles and drops as the car stops; float64 (n_samples,)."""
    period = rng.uniform(1.0, 1.6)
    starts = onsets(rng, n_samples / sample_rate, period, jitter=0.1)
    skid = np.mod(time_axis(n_samples, sample_rate), period) / period
    pitch = rng.uniform(950, 1250) * (1.1 - 0.25 * skid)
    tremble = wander(rng, n_samples, sample_rate, 90.0, 0.96, 1.04)
    screech = harmonic_tone(pitch * tremble, sample_rate, (1.0, 0.7, 0.5, 0.3, 0.2))
    rubber = noise(rng, n_samples, sample_rate, resonances((1100, 2300), (300, 600)))
    skids: Signal = (screech + 0.4 * rubber) * (0.05 + gate(n_samples, sample_rate, starts, 0.8 * period, 0.1))
    return skids


def steam_train(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Puffs of steam, four to the turn of the wheels, the first one the loudest; float64 (n_samples,)."""
    length = int(0.3 * sample_rate)
    low = rng.uniform(250, 400)
    puffs = []
    starts = onsets(rng, n_samples / sample_rate, 1 / rng.uniform(3.0, 5.0), jitter=0.03)
    for index in range(len(starts)):
        accent = 1.0 if index % 4 == 0 else rng.uniform(0.5, 0.7)
        steam = noise(rng, length, sample_rate, band(low, 3500, order=1))
        puffs.append(accent * steam * strike(length, sample_rate, 0.02, 0.06))
    return place(n_samples, sample_rate, starts, puffs)
