"""Sounds of the home: small knocks and clicks, motors, and water and fat."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import Signal, SyntheticClip, band, resonances, unit


def clock(clip: SyntheticClip) -> Signal:
    """The two unlike clicks of a clockwork, in even time."""
    part = clip.part(0.12)
    pitch = clip.uniform(2000, 2800)
    ring = clip.uniform(0.006, 0.012)
    clicks = [
        part.modes((base, 1.53 * base, 0.35 * base), (1.0, 0.7, 0.5), (ring, 0.6 * ring, 3 * ring))
        for base in (pitch, clip.uniform(0.75, 0.88) * pitch)
    ]
    starts = clip.onsets(clip.uniform(0.3, 0.55))
    ticks = clip.place(starts, [clicks[index % 2] for index in range(len(starts))])
    # The hush of the room: without it the pauses would be digital silence, which no recording has.
    return ticks + 0.003 * clip.noise(band(100, 1000, order=1))


def vacuum_cleaner(clip: SyntheticClip) -> Signal:
    """A motor's whine over a strong steady rush of air."""
    whine = clip.uniform(380, 520) * clip.wander(1.0, 0.98, 1.03)
    motor = clip.harmonic_tone(whine, (1.0, 0.7, 0.3, 0.4, 0.2, 0.1))
    nozzle = resonances((clip.uniform(700, 900), clip.uniform(2000, 2600)), (500, 1500), (1.0, 0.6), floor=0.15)
    return 0.35 * motor + clip.noise(nozzle) * clip.wander(2.0, 0.8, 1)


def door_knock(clip: SyntheticClip) -> Signal:
    """Knuckles on a wooden door, three to five knocks at a time."""
    part = clip.part(0.2)
    wood = clip.uniform(130, 210)
    takes = []
    for _ in range(3):
        panel = part.modes((wood, 2.1 * wood, 3.7 * wood), (1.0, 0.7, 0.4), (0.045, 0.025, 0.015))
        knuckle = part.noise(band(400, 1600)) * part.strike(0.001, 0.008)
        takes.append(panel + clip.uniform(0.3, 0.5) * knuckle)
    starts = clip.onsets(clip.uniform(0.17, 0.26), jitter=0.1)
    group = clip.rng.integers(3, 6)
    starts = starts[np.arange(len(starts)) % (group + 2) < group]
    return clip.repeat(starts, takes, 0.6)


def typing(clip: SyntheticClip) -> Signal:
    """Keys going down and up at the uneven pace of a quick typist."""
    part = clip.part(0.06)
    plastic = clip.uniform(2600, 3600)
    takes = []
    for shift in clip.rng.uniform(0.85, 1.2, 4):
        shell = resonances((plastic * shift, 1.8 * plastic * shift, 900 * shift), (900, 1500, 300), (1.0, 0.7, 0.4))
        takes.append(part.noise(shell) * part.strike(0.0008, 0.006))
    down = np.sort(clip.onsets(1 / clip.uniform(7, 11), jitter=0.9))
    keys = clip.repeat(down, takes, 0.5)
    release = clip.repeat(down + clip.uniform(0.05, 0.08), takes, 0.8)
    return keys + 0.3 * release


def pouring(clip: SyntheticClip) -> Signal:
    """Water into a glass: the air column's pitch climbs while the glass fills."""
    fill = clip.uniform(2.0, 3.5)
    start, stop = clip.uniform(450, 600), clip.uniform(1800, 2400)
    level = np.mod(clip.time / fill + clip.uniform(0, 0.3), 1.0)
    column = start * (stop / start) ** level
    # The rising resonance is noise moved up to the column's pitch by a carrier with a wandering phase.
    flicker = clip.noise(band(2, 60, order=2))
    carrier = np.sin(clip.phase_of(column * clip.wander(40.0, 0.94, 1.06)))
    splash = clip.noise(band(1500, 7000, order=1))
    return carrier * flicker + 0.25 * splash * (1 + 0.3 * flicker)


def frying(clip: SyntheticClip) -> Signal:
    """Fat that hisses and spits."""
    hiss = clip.noise(band(clip.uniform(3500, 4500), 12000, order=2))
    fat = resonances((5000, 7000), (2500, 3000))
    spits = clip.crackle(clip.uniform(60, 140), 1.0, fat)
    return hiss * clip.wander(6.0, 0.5, 1.0) + 0.9 * spits


def dishes(clip: SyntheticClip) -> Signal:
    """Plates and cutlery that clink against each other."""
    part = clip.part(0.35)
    takes = []
    for base in clip.rng.uniform(1500, 3200, 5):
        ratios = np.array([1.0, 1.47, 2.09, 2.56, 3.3])
        decays = clip.uniform(0.03, 0.1) * np.array([1.0, 0.8, 0.7, 0.5, 0.4])
        takes.append(part.modes((base * ratios).tolist(), (1.0, 0.8, 0.9, 0.6, 0.5), decays.tolist()))
    starts = np.sort(clip.onsets(1 / clip.uniform(4, 7), jitter=1.2))
    return clip.repeat(starts, takes, 0.25)


def sawing(clip: SyntheticClip) -> Signal:
    """Strokes of a hand saw, forward loud and backward soft."""
    stroke = 1 / clip.uniform(1.6, 2.6)
    starts = clip.onsets(stroke, jitter=0.05)
    forward = clip.gate(starts, 0.5 * stroke, 0.06)
    backward = clip.gate(starts + 0.55 * stroke, 0.35 * stroke, 0.06)
    teeth = clip.harmonic_tone(clip.uniform(110, 160) * (0.6 + forward), (1.0, 0.5, 0.3))
    wood = resonances((clip.uniform(1000, 1400), clip.uniform(2400, 3000)), (500, 900), (1.0, 0.8), floor=0.05)
    rasp = clip.noise(wood)
    rasp *= 1 + 0.7 * teeth
    rasp *= forward + 0.25 * backward
    return rasp


def dripping(clip: SyntheticClip) -> Signal:
    """Drops into a basin: each a bubble whose pitch jumps up."""
    part = clip.part(0.14)
    takes = []
    for pitch in clip.rng.uniform(700, 1100, 3):
        bubble = np.sin(clip.phase_of(pitch * part.contour((1.0, 1.35, 1.7, 1.9))))
        takes.append(bubble * part.strike(0.002, clip.uniform(0.025, 0.045)))
    starts = clip.onsets(clip.uniform(0.2, 0.35), jitter=0.3)
    hush = clip.noise(band(200, 1500, order=1))
    return clip.repeat(starts, takes, 0.5) + 0.003 * hush


def hammering(clip: SyntheticClip) -> Signal:
    """A hammer on a nail in wood: a thud, and a ring that climbs as the nail goes in."""
    part = clip.part(0.3)
    wood, steel = clip.uniform(220, 320), clip.uniform(3000, 3800)
    starts = clip.onsets(clip.uniform(0.35, 0.55), jitter=0.06)
    blows = []
    for index in range(len(starts)):
        nail = steel * (1 + 0.03 * (index % 8))
        ringing = part.modes((nail, 1.7 * nail), (1.0, 0.5), (0.05, 0.03))
        thud = part.modes((wood, 2.4 * wood), (1.0, 0.5), (0.03, 0.02))
        crack = part.noise(band(500, 8000, order=1)) * part.strike(0.0005, 0.006)
        blows.append(clip.uniform(0.7, 1.0) * (0.5 * ringing + thud + 0.6 * crack))
    return clip.place(starts, blows)


def mains_hum(clip: SyntheticClip) -> Signal:
    """A transformer's hum at 100 or 120 Hz and its harmonics."""
    base = float(clip.rng.choice([50.0, 60.0])) * clip.uniform(0.998, 1.002)
    sizes = [0.5, 1.0, 0.1, 0.5, 0.05, 0.3, 0.05, 0.15, 0.02, 0.1]
    hum = clip.harmonic_tone(clip.steady(base), [size * clip.uniform(0.5, 1.5) for size in sizes])
    hiss = clip.noise(band(100, 3000, order=1))
    return unit(hum) * clip.wander(0.7, 0.85, 1.0) + 0.008 * hiss
