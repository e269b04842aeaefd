"""Animals: calls made with the same source and resonances as voices, and whistles and stridulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dplass_cli.sounds.synthesis import (
    Response,
    Signal,
    band,
    contour,
    filter_bank,
    filtered,
    gate,
    harmonic_tone,
    noise,
    onsets,
    plateau,
    pulse_train,
    repeat,
    resonances,
    strike,
    time_axis,
    unit,
    voice,
    wander,
)


def _call(
    rng: np.random.Generator,
    frequency: Signal,
    sample_rate: int,
    throat: Response,
    breath: float,
    fades: tuple[float, float],
    bandwidth: float = 3500.0,
) -> Signal:
    """One call: a voice that follows ``frequency`` (n,) through ``throat``, faded in and out (seconds)."""
    sounded = unit(filtered(voice(rng, frequency, sample_rate, breath, bandwidth), sample_rate, throat))
    return sounded * plateau(len(frequency), sample_rate, *fades)


def _whistle(values: Sequence[float], length: float, sample_rate: int, amplitudes: Sequence[float]) -> Signal:
    """One whistled note of ``length`` seconds whose pitch runs through ``values`` (Hz)."""
    n_samples = int(length * sample_rate)
    tone = harmonic_tone(contour(n_samples, values), sample_rate, amplitudes)
    return tone * plateau(n_samples, sample_rate, 0.3 * length, 0.4 * length)


def dog(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Barks in pairs, each a quick rise and fall with a rough edge; float64 (n_samples,)."""
    pitch, size = rng.uniform(280, 480), rng.uniform(0.85, 1.2)
    throat = resonances((650 / size, 1300 / size, 2600 / size), (250, 350, 500), (1.0, 0.8, 0.25))
    takes = []
    for _ in range(3):
        length = int(rng.uniform(0.14, 0.2) * sample_rate)
        rough = wander(rng, length, sample_rate, 150.0, 0.9, 1.1)
        arch = pitch * contour(length, (0.7, rng.uniform(1.2, 1.5), 1.1, 0.6)) * rough
        takes.append(_call(rng, arch, sample_rate, throat, 0.45, (0.015, 0.09)))
    period = rng.uniform(0.55, 0.85)
    first = onsets(rng, n_samples / sample_rate, period, jitter=0.15)
    starts = np.sort(np.concatenate([first, first[1::2] + rng.uniform(0.2, 0.26)]))
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.6)


def cat(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Meows: the mouth opens and closes over a pitch that rises and falls; float64 (n_samples,)."""
    pitch = rng.uniform(520, 720)
    closed = resonances((900, 2600), (300, 300), (1.0, 0.8))
    opened = resonances((1500, 3400), (350, 500), (1.0, 0.5))
    takes = []
    for _ in range(2):
        length = int(rng.uniform(0.65, 0.95) * sample_rate)
        melody = pitch * contour(length, (0.8, 1.1, rng.uniform(1.1, 1.25), 1.0, 0.75))
        source = voice(rng, melody, sample_rate, 0.03, bandwidth=3500)
        mouth = contour(length, (0.0, 0.7, 1.0, 0.5, 0.0))
        shut, wide = filter_bank(source, sample_rate, [closed, opened])
        takes.append(unit((1 - mouth) * shut + mouth * wide) * plateau(length, sample_rate, 0.12, 0.3))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.95, 1.3), jitter=0.1)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.7)


def bird(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Quick sweeping chirps between 2.5 and 6 kHz; float64 (n_samples,)."""
    base = rng.uniform(3000, 4200)
    takes = []
    for _ in range(4):
        sweep = base * rng.uniform(0.8, 1.45, 3)
        takes.append(_whistle(sweep.tolist(), rng.uniform(0.05, 0.14), sample_rate, (1.0, 0.1)))
    starts = onsets(rng, n_samples / sample_rate, 1 / rng.uniform(5, 8), jitter=0.6)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.3)


def cricket(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Two insects, each with a pure high carrier cut into chirps of fast pulses; float64 (n_samples,)."""
    time = time_axis(n_samples, sample_rate)
    total = np.zeros(n_samples)
    carrier = rng.uniform(4300, 5000)
    for gain, detune in ((1.0, 1.0), (rng.uniform(0.2, 0.5), rng.uniform(1.02, 1.08))):
        teeth, chirps = rng.uniform(28, 42), rng.uniform(2.5, 4.5)
        pulses = np.sin(np.pi * teeth * time + rng.uniform(0, 3)) ** 2
        starts = onsets(rng, n_samples / sample_rate, 1 / chirps, jitter=0.05)
        rhythm = gate(n_samples, sample_rate, starts, 0.6 / chirps, 0.02)
        total += gain * np.sin(2 * np.pi * carrier * detune * time) * pulses * rhythm
    return total


def frog(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Croaks: slow separate pulses, each ringing in the throat sac; float64 (n_samples,)."""
    rattle, sac = rng.uniform(35, 60), rng.uniform(850, 1100)
    throat = resonances((sac, 2.3 * sac), (70, 150), (1.0, 0.7))
    takes = []
    for _ in range(2):
        length = int(rng.uniform(0.3, 0.5) * sample_rate)
        rate = rattle * contour(length, (0.8, 1.0, rng.uniform(1.1, 1.3)))
        takes.append(_call(rng, rate, sample_rate, throat, 0.02, (0.06, 0.08), bandwidth=2500))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.5, 0.75), jitter=0.15)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.6)


def cow(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Long low moos that open from a hum; float64 (n_samples,)."""
    pitch, period = rng.uniform(95, 150), rng.uniform(1.7, 2.4)
    throat = resonances((260, 620, 1100), (90, 140, 200), (1.0, 0.7, 0.25))
    takes = []
    for _ in range(2):
        length = int(rng.uniform(0.75, 0.85) * period * sample_rate)
        rough = wander(rng, length, sample_rate, 30.0, 0.98, 1.02)
        moo = pitch * contour(length, (0.75, 0.9, rng.uniform(1.1, 1.25), 1.15, 0.9)) * rough
        takes.append(_call(rng, moo, sample_rate, throat, 0.04, (0.25, 0.35), bandwidth=1200))
    return repeat(rng, n_samples, sample_rate, onsets(rng, n_samples / sample_rate, period, 0.05), takes, 0.7)


def sheep(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Bleats: a nasal voice that trembles about nine times a second; float64 (n_samples,)."""
    pitch, tremble = rng.uniform(220, 320), rng.uniform(8, 11)
    throat = resonances((750, 1700, 2800), (150, 250, 400), (0.8, 1.0, 0.6))
    takes = []
    for _ in range(2):
        length = int(rng.uniform(0.7, 1.0) * sample_rate)
        shake = np.sin(2 * np.pi * tremble * time_axis(length, sample_rate))
        bleat = pitch * contour(length, (1.0, 1.1, 1.0, 0.9)) * (1 + 0.06 * shake)
        takes.append((1 + 0.7 * shake) * _call(rng, bleat, sample_rate, throat, 0.12, (0.05, 0.15), bandwidth=3000))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(1.05, 1.5), jitter=0.1)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.7)


def rooster(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Cock-a-doodle-doo: three short notes and a long one that falls; float64 (n_samples,)."""
    pitch = rng.uniform(720, 920)
    throat = resonances((1100, 2300, 3600), (350, 500, 700), (1.0, 0.9, 0.6))
    parts = []
    for seconds, shape in (
        (rng.uniform(0.14, 0.2), (0.7, 0.95, 0.9)),
        (rng.uniform(0.1, 0.16), (0.95, 1.1, 1.0)),
        (rng.uniform(0.18, 0.28), (1.0, 1.3, 1.2)),
        (rng.uniform(0.65, 0.9), (1.1, 1.2, 1.05, 0.9, 0.6)),
    ):
        rough = wander(rng, int(seconds * sample_rate), sample_rate, 80.0, 0.97, 1.03)
        note = pitch * contour(len(rough), shape) * rough
        parts.append(_call(rng, note, sample_rate, throat, 0.15, (0.02, 0.06), bandwidth=4500))
        parts.append(np.zeros(int(0.03 * sample_rate)))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(1.6, 2.1))
    return repeat(rng, n_samples, sample_rate, starts, [np.concatenate(parts)], 0.7)


def owl(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Soft hollow hoots: a long one, then two short ones; float64 (n_samples,)."""
    pitch = rng.uniform(330, 430)
    hoots = []
    for seconds in (rng.uniform(0.35, 0.5), rng.uniform(0.18, 0.25), rng.uniform(0.3, 0.45)):
        values = [0.93 * pitch, pitch * rng.uniform(0.98, 1.04), pitch, 0.92 * pitch]
        hoots.append(_whistle(values, seconds, sample_rate, (1.0, 0.08, 0.03)))
        hoots.append(np.zeros(int(rng.uniform(0.08, 0.16) * sample_rate)))
    call = np.concatenate(hoots)
    starts = onsets(rng, n_samples / sample_rate, len(call) / sample_rate + rng.uniform(0.1, 0.4))
    return repeat(rng, n_samples, sample_rate, starts, [call], 0.7)


def bees(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A few bees whose wing-beats drift in pitch and nearness; float64 (n_samples,)."""
    swarm = 0.02 * rng.standard_normal(n_samples)
    for pitch in rng.uniform(190, 260, 4):
        wings = pitch * wander(rng, n_samples, sample_rate, 5.0, 0.93, 1.08)
        swarm += wander(rng, n_samples, sample_rate, 1.5, 0.1, 1.0) * unit(pulse_train(wings, sample_rate, 1800))
    return filtered(swarm, sample_rate, resonances((450, 1000, 2400), (300, 500, 900), (1.0, 0.6, 0.5)))


def duck(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Nasal quacks in a row; float64 (n_samples,)."""
    pitch = rng.uniform(150, 210)
    throat = resonances((1250, 2300, 3300), (200, 250, 400), (1.0, 1.0, 0.5))
    takes = []
    for _ in range(3):
        length = int(rng.uniform(0.15, 0.22) * sample_rate)
        quack = pitch * contour(length, (1.1, 1.05, 0.85)) * wander(rng, length, sample_rate, 90.0, 0.95, 1.05)
        takes.append(_call(rng, quack, sample_rate, throat, 0.12, (0.02, 0.07), bandwidth=4500))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.26, 0.4), jitter=0.15)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.5)


def horse(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Hooves on a road in the four-beat of a walk or the two-beat of a trot; float64 (n_samples,)."""
    length = int(0.09 * sample_rate)
    takes = []
    for shoe in rng.uniform(900, 1700, 4):
        clop = noise(rng, length, sample_rate, resonances((shoe, 1.9 * shoe), (120, 250), (1.0, 0.4)))
        ground = noise(rng, length, sample_rate, band(80, 300))
        takes.append((clop + 0.5 * ground) * strike(length, sample_rate, 0.001, 0.014))
    starts = onsets(rng, n_samples / sample_rate, rng.uniform(0.16, 0.26), jitter=0.25)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.6)
