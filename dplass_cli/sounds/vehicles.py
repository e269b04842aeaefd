"""Engines, rotors, horns and wheels."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import Response, Signal, SyntheticClip, band, resonances, unit


def _engine(clip: SyntheticClip, firing: Signal, pipe: Response, grit: float, bandwidth: float) -> Signal:
    """Explosions at ``firing`` (Hz, float64 (n,)) through an exhaust pipe; ``grit`` is the share of noise in them."""
    pulses = clip.pulse_train(firing, bandwidth)
    # No two explosions are alike, and gas rushes out with each: both make the pulses rough.
    uneven = clip.wander(float(firing.mean()), 0.6, 1.0)
    rush = clip.rng.standard_normal(len(firing)) * (0.3 + np.clip(pulses, 0, None) / (pulses.max() + 1e-9))
    return unit(clip.filtered(unit(pulses * uneven) + grit * rush, pipe))


def car_idle(clip: SyntheticClip) -> Signal:
    """A four-cylinder engine ticking over: a low throb."""
    firing = clip.uniform(22, 32) * clip.wander(3.0, 0.96, 1.04)
    pipe = resonances((clip.uniform(60, 90), clip.uniform(160, 220), 420), (40, 80, 200), (1.0, 0.5, 0.2), floor=0.01)
    return _engine(clip, firing, pipe, 0.4, 500)


def helicopter(clip: SyntheticClip) -> Signal:
    """Blades that slap the air about fourteen times a second, and a turbine."""
    blades = clip.uniform(11, 17) * clip.wander(1.0, 0.98, 1.02)
    slap = 0.5 + 0.5 * np.cos(clip.phase_of(blades))
    air = clip.noise(band(60, clip.uniform(500, 800), order=1))
    turbine = clip.harmonic_tone(clip.steady(clip.uniform(1600, 2400)), (1.0, 0.3))
    thump = np.sin(clip.phase_of(blades * 5))
    rotor: Signal = (air + 0.7 * thump) * slap**4 + 0.1 * air + 0.04 * turbine
    return rotor


def motorcycle(clip: SyntheticClip) -> Signal:
    """An engine that is revved up again and again, through the gears."""
    low, high, pull = clip.uniform(45, 60), clip.uniform(140, 200), clip.uniform(0.9, 1.6)
    gear = np.mod(clip.time / pull + clip.uniform(0, 0.5), 1.0)
    firing = low * (high / low) ** np.minimum(gear / 0.88, (1 - gear) / 0.12)
    pipe = resonances((180, 450, 1100, 2200), (120, 250, 500, 900), (1.0, 0.9, 0.6, 0.25), floor=0.03)
    return _engine(clip, firing, pipe, 0.35, 2500) * (0.5 + 0.5 * gear)


def _horn(clip: SyntheticClip, pitches: Signal, bright: float, fade: float) -> Signal:
    """One blast of several trumpets; ``bright`` (0 to 1) is the ratio of each harmonic to the one before it."""
    sizes = [bright**order for order in range(20)]
    bend = clip.wander(6.0, 0.997, 1.003)
    blown = np.sum([clip.harmonic_tone(pitch * bend, sizes) for pitch in pitches], axis=0)
    blast: Signal = blown * clip.plateau(fade, fade)
    return blast


def train_horn(clip: SyntheticClip) -> Signal:
    """Long blasts of a five-note chord."""
    period = clip.uniform(1.2, 2.0)
    pitches = clip.uniform(0.92, 1.08) * np.array([255.0, 311.0, 370.0, 440.0, 494.0])
    blast = _horn(clip.part(0.85 * period), pitches, 0.8, 0.08)
    starts = clip.onsets(period, jitter=0.05)
    breath = clip.noise(band(500, 3000))
    return clip.repeat(starts, [unit(blast)], 0.85) + 0.03 * breath


def car_horn(clip: SyntheticClip) -> Signal:
    """Short harsh honks of two close notes."""
    pitches = clip.uniform(390, 460) * np.array([1.0, clip.uniform(1.18, 1.27)])
    disc = resonances((2600, 3400), (1200, 1500), floor=0.15)
    takes = []
    for seconds in clip.rng.uniform(0.15, 0.45, 2):
        takes.append(clip.filtered(_horn(clip.part(seconds), pitches, 0.97, 0.012), disc))
    starts = clip.onsets(clip.uniform(0.5, 0.75), jitter=0.1)
    return clip.repeat(starts, takes, 0.85)


def chainsaw(clip: SyntheticClip) -> Signal:
    """A two-stroke engine, raspy and bright, that slows down under load."""
    firing = clip.uniform(115, 160) * clip.wander(2.0, 0.75, 1.15)
    pipe = resonances((500, 1400, 3200, 5000), (300, 700, 1200, 1800), (0.6, 1.0, 1.0, 0.6), floor=0.05)
    return _engine(clip, firing, pipe, 0.6, 4500)


def aeroplane(clip: SyntheticClip) -> Signal:
    """A jet that passes overhead: a roar that swells and a whine that falls."""
    passing = clip.uniform(0.3, 0.7) * clip.seconds
    offset = (clip.time - passing) / clip.uniform(1.5, 2.5)
    doppler = 1 - 0.12 * offset / np.sqrt(1 + offset**2)
    roar = clip.noise(band(90, clip.uniform(600, 900), order=1))
    whine = clip.harmonic_tone(clip.uniform(2200, 3000) * doppler, (1.0, 0.4))
    flyby: Signal = (roar + 0.1 * whine) / (0.6 + offset**2)
    return flyby


def train_wheels(clip: SyntheticClip) -> Signal:
    """Wheels over rail joints, clickety-clack, above a rolling rumble."""
    part = clip.part(0.2)
    steel = clip.uniform(420, 620)
    takes = []
    for _ in range(2):
        thud = part.modes((95.0, steel, 2.3 * steel), (1.0, 0.8, 0.5), (0.04, 0.03, 0.02))
        scrape = part.noise(band(800, 4000, order=1)) * part.strike(0.001, 0.02)
        takes.append(thud + 0.5 * scrape)
    joints = clip.onsets(1 / clip.uniform(1.4, 2.2), jitter=0.02)
    pair, bogie = clip.uniform(0.08, 0.12), clip.uniform(0.2, 0.26)
    starts = (joints[:, None] + np.array([0.0, pair, bogie, bogie + pair])[None, :]).ravel()
    rumble = clip.noise(band(40, 250, order=1))
    return clip.repeat(starts, takes, 0.6) + 0.12 * rumble


def tyre_squeal(clip: SyntheticClip) -> Signal:
    """Skids: a screeching tone that trembles and drops as the car stops."""
    period = clip.uniform(1.0, 1.6)
    starts = clip.onsets(period, jitter=0.1)
    skid = np.mod(clip.time, period) / period
    pitch = clip.uniform(950, 1250) * (1.1 - 0.25 * skid)
    tremble = clip.wander(90.0, 0.96, 1.04)
    screech = clip.harmonic_tone(pitch * tremble, (1.0, 0.7, 0.5, 0.3, 0.2))
    rubber = clip.noise(resonances((1100, 2300), (300, 600)))
    skids: Signal = (screech + 0.4 * rubber) * (0.05 + clip.gate(starts, 0.8 * period, 0.1))
    return skids


def steam_train(clip: SyntheticClip) -> Signal:
    """Puffs of steam, four to the turn of the wheels, the first one the loudest."""
    part = clip.part(0.3)
    low = clip.uniform(250, 400)
    puffs = []
    starts = clip.onsets(1 / clip.uniform(3.0, 5.0), jitter=0.03)
    for index in range(len(starts)):
        accent = 1.0 if index % 4 == 0 else clip.uniform(0.5, 0.7)
        steam = part.noise(band(low, 3500, order=1))
        puffs.append(accent * steam * part.strike(0.02, 0.06))
    return clip.place(starts, puffs)
