"""Animals: calls made with the same source and resonances as voices, and whistles and stridulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dplass_cli.sounds.synthesis import Response, Signal, SyntheticClip, band, resonances, unit


def _call(
    clip: SyntheticClip,
    frequency: Signal,
    throat: Response,
    breath: float,
    fades: tuple[float, float],
    bandwidth: float = 3500.0,
) -> Signal:
    """One call: a voice that follows ``frequency`` (n,) through ``throat``, faded in and out (seconds)."""
    sounded = unit(clip.filtered(clip.voice(frequency, breath, bandwidth), throat))
    return sounded * clip.plateau(*fades)


def _whistle(clip: SyntheticClip, values: Sequence[float], seconds: float, amplitudes: Sequence[float]) -> Signal:
    """One whistled note of some ``seconds`` whose pitch runs through ``values`` (Hz)."""
    part = clip.part(seconds)
    tone = part.harmonic_tone(part.contour(values), amplitudes)
    return tone * part.plateau(0.3 * seconds, 0.4 * seconds)


def dog(clip: SyntheticClip) -> Signal:
    """Barks in pairs, each a quick rise and fall with a rough edge."""
    pitch, size = clip.uniform(280, 480), clip.uniform(0.85, 1.2)
    throat = resonances((650 / size, 1300 / size, 2600 / size), (250, 350, 500), (1.0, 0.8, 0.25))
    takes = []
    for _ in range(3):
        part = clip.part(clip.uniform(0.14, 0.2))
        rough = part.wander(150.0, 0.9, 1.1)
        arch = pitch * part.contour((0.7, clip.uniform(1.2, 1.5), 1.1, 0.6)) * rough
        takes.append(_call(part, arch, throat, 0.45, (0.015, 0.09)))
    period = clip.uniform(0.55, 0.85)
    first = clip.onsets(period, jitter=0.15)
    starts = np.sort(np.concatenate([first, first[1::2] + clip.uniform(0.2, 0.26)]))
    return clip.repeat(starts, takes, 0.6)


def cat(clip: SyntheticClip) -> Signal:
    """Meows: the mouth opens and closes over a pitch that rises and falls."""
    pitch = clip.uniform(520, 720)
    closed = resonances((900, 2600), (300, 300), (1.0, 0.8))
    opened = resonances((1500, 3400), (350, 500), (1.0, 0.5))
    takes = []
    for _ in range(2):
        part = clip.part(clip.uniform(0.65, 0.95))
        melody = pitch * part.contour((0.8, 1.1, clip.uniform(1.1, 1.25), 1.0, 0.75))
        source = clip.voice(melody, 0.03, bandwidth=3500)
        mouth = part.contour((0.0, 0.7, 1.0, 0.5, 0.0))
        shut, wide = clip.filter_bank(source, [closed, opened])
        takes.append(unit((1 - mouth) * shut + mouth * wide) * part.plateau(0.12, 0.3))
    starts = clip.onsets(clip.uniform(0.95, 1.3), jitter=0.1)
    return clip.repeat(starts, takes, 0.7)


def bird(clip: SyntheticClip) -> Signal:
    """Quick sweeping chirps between 2.5 and 6 kHz."""
    base = clip.uniform(3000, 4200)
    takes = []
    for _ in range(4):
        sweep = base * clip.rng.uniform(0.8, 1.45, 3)
        takes.append(_whistle(clip, sweep.tolist(), clip.uniform(0.05, 0.14), (1.0, 0.1)))
    starts = clip.onsets(1 / clip.uniform(5, 8), jitter=0.6)
    return clip.repeat(starts, takes, 0.3)


def cricket(clip: SyntheticClip) -> Signal:
    """Two insects, each with a pure high carrier cut into chirps of fast pulses."""
    time = clip.time
    total = clip.silence
    carrier = clip.uniform(4300, 5000)
    for gain, detune in ((1.0, 1.0), (clip.uniform(0.2, 0.5), clip.uniform(1.02, 1.08))):
        teeth, chirps = clip.uniform(28, 42), clip.uniform(2.5, 4.5)
        pulses = np.sin(np.pi * teeth * time + clip.uniform(0, 3)) ** 2
        starts = clip.onsets(1 / chirps, jitter=0.05)
        rhythm = clip.gate(starts, 0.6 / chirps, 0.02)
        total += gain * np.sin(2 * np.pi * carrier * detune * time) * pulses * rhythm
    return total


def frog(clip: SyntheticClip) -> Signal:
    """Croaks: slow separate pulses, each ringing in the throat sac."""
    rattle, sac = clip.uniform(35, 60), clip.uniform(850, 1100)
    throat = resonances((sac, 2.3 * sac), (70, 150), (1.0, 0.7))
    takes = []
    for _ in range(2):
        part = clip.part(clip.uniform(0.3, 0.5))
        rate = rattle * part.contour((0.8, 1.0, clip.uniform(1.1, 1.3)))
        takes.append(_call(part, rate, throat, 0.02, (0.06, 0.08), bandwidth=2500))
    starts = clip.onsets(clip.uniform(0.5, 0.75), jitter=0.15)
    return clip.repeat(starts, takes, 0.6)


def cow(clip: SyntheticClip) -> Signal:
    """Long low moos that open from a hum."""
    pitch, period = clip.uniform(95, 150), clip.uniform(1.7, 2.4)
    throat = resonances((260, 620, 1100), (90, 140, 200), (1.0, 0.7, 0.25))
    takes = []
    for _ in range(2):
        part = clip.part(clip.uniform(0.75, 0.85) * period)
        rough = part.wander(30.0, 0.98, 1.02)
        moo = pitch * part.contour((0.75, 0.9, clip.uniform(1.1, 1.25), 1.15, 0.9)) * rough
        takes.append(_call(part, moo, throat, 0.04, (0.25, 0.35), bandwidth=1200))
    return clip.repeat(clip.onsets(period, 0.05), takes, 0.7)


def sheep(clip: SyntheticClip) -> Signal:
    """Bleats: a nasal voice that trembles about nine times a second."""
    pitch, tremble = clip.uniform(220, 320), clip.uniform(8, 11)
    throat = resonances((750, 1700, 2800), (150, 250, 400), (0.8, 1.0, 0.6))
    takes = []
    for _ in range(2):
        part = clip.part(clip.uniform(0.7, 1.0))
        shake = np.sin(2 * np.pi * tremble * part.time)
        bleat = pitch * part.contour((1.0, 1.1, 1.0, 0.9)) * (1 + 0.06 * shake)
        takes.append((1 + 0.7 * shake) * _call(part, bleat, throat, 0.12, (0.05, 0.15), bandwidth=3000))
    starts = clip.onsets(clip.uniform(1.05, 1.5), jitter=0.1)
    return clip.repeat(starts, takes, 0.7)


def rooster(clip: SyntheticClip) -> Signal:
    """Cock-a-doodle-doo: three short notes and a long one that falls."""
    pitch = clip.uniform(720, 920)
    throat = resonances((1100, 2300, 3600), (350, 500, 700), (1.0, 0.9, 0.6))
    parts = []
    for seconds, shape in (
        (clip.uniform(0.14, 0.2), (0.7, 0.95, 0.9)),
        (clip.uniform(0.1, 0.16), (0.95, 1.1, 1.0)),
        (clip.uniform(0.18, 0.28), (1.0, 1.3, 1.2)),
        (clip.uniform(0.65, 0.9), (1.1, 1.2, 1.05, 0.9, 0.6)),
    ):
        part = clip.part(seconds)
        rough = part.wander(80.0, 0.97, 1.03)
        note = pitch * part.contour(shape) * rough
        parts.append(_call(part, note, throat, 0.15, (0.02, 0.06), bandwidth=4500))
        parts.append(clip.part(0.03).silence)
    starts = clip.onsets(clip.uniform(1.6, 2.1))
    return clip.repeat(starts, [np.concatenate(parts)], 0.7)


def owl(clip: SyntheticClip) -> Signal:
    """Soft hollow hoots: a long one, then two short ones."""
    pitch = clip.uniform(330, 430)
    hoots = []
    for seconds in (clip.uniform(0.35, 0.5), clip.uniform(0.18, 0.25), clip.uniform(0.3, 0.45)):
        values = [0.93 * pitch, pitch * clip.uniform(0.98, 1.04), pitch, 0.92 * pitch]
        hoots.append(_whistle(clip, values, seconds, (1.0, 0.08, 0.03)))
        hoots.append(clip.part(clip.uniform(0.08, 0.16)).silence)
    call = np.concatenate(hoots)
    starts = clip.onsets(len(call) / clip.sample_rate + clip.uniform(0.1, 0.4))
    return clip.repeat(starts, [call], 0.7)


def bees(clip: SyntheticClip) -> Signal:
    """A few bees whose wing-beats drift in pitch and nearness."""
    swarm = 0.02 * clip.rng.standard_normal(clip.n_samples)
    for pitch in clip.rng.uniform(190, 260, 4):
        wings = pitch * clip.wander(5.0, 0.93, 1.08)
        swarm += clip.wander(1.5, 0.1, 1.0) * unit(clip.pulse_train(wings, 1800))
    return clip.filtered(swarm, resonances((450, 1000, 2400), (300, 500, 900), (1.0, 0.6, 0.5)))


def duck(clip: SyntheticClip) -> Signal:
    """Nasal quacks in a row."""
    pitch = clip.uniform(150, 210)
    throat = resonances((1250, 2300, 3300), (200, 250, 400), (1.0, 1.0, 0.5))
    takes = []
    for _ in range(3):
        part = clip.part(clip.uniform(0.15, 0.22))
        quack = pitch * part.contour((1.1, 1.05, 0.85)) * part.wander(90.0, 0.95, 1.05)
        takes.append(_call(part, quack, throat, 0.12, (0.02, 0.07), bandwidth=4500))
    starts = clip.onsets(clip.uniform(0.26, 0.4), jitter=0.15)
    return clip.repeat(starts, takes, 0.5)


def horse(clip: SyntheticClip) -> Signal:
    """Hooves on a road in the four-beat of a walk or the two-beat of a trot."""
    part = clip.part(0.09)
    takes = []
    for shoe in clip.rng.uniform(900, 1700, 4):
        clop = part.noise(resonances((shoe, 1.9 * shoe), (120, 250), (1.0, 0.4)))
        ground = part.noise(band(80, 300))
        takes.append((clop + 0.5 * ground) * part.strike(0.001, 0.014))
    starts = clip.onsets(clip.uniform(0.16, 0.26), jitter=0.25)
    return clip.repeat(starts, takes, 0.6)
