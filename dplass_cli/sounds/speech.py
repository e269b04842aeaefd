"""Human voices: pulses of the vocal folds (or breath) through the resonances of a few vowels."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import (
    Response,
    Signal,
    band,
    cascade,
    contour,
    filter_bank,
    filtered,
    gate,
    noise,
    onsets,
    plateau,
    pulse_train,
    repeat,
    resonances,
    time_axis,
    unit,
    voice,
    wander,
)

# Formants of an adult male voice in Hz; smaller speakers have the same ones, scaled up.
_VOWELS = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}


def _vowel(name: str, scale: float) -> Response:
    first, second, third = (scale * formant for formant in _VOWELS[name])
    return resonances((first, second, third), (90 * scale, 120 * scale, 180 * scale), (1.0, 0.6, 0.3), floor=0.01)


def _syllables(rng: np.random.Generator, duration: float, rate: float) -> tuple[Signal, Signal]:
    """Starts and lengths in seconds of the syllables of a talker who pauses between phrases."""
    starts, lengths = [], []
    now = rng.uniform(0.0, 0.05)
    while now < duration:
        for _ in range(rng.integers(4, 9)):
            length = rng.uniform(0.7, 1.2) / rate
            starts.append(now)
            lengths.append(0.85 * length)
            now += length
        now += rng.uniform(0.1, 0.35)
    return np.array(starts), np.array(lengths)


def _talk(rng: np.random.Generator, source: Signal, sample_rate: int, scale: float, rate: float, hiss: float) -> Signal:
    """Cut ``source`` (n,) into syllables of changing vowels, with ``hiss`` as loud as consonants are."""
    n_samples = len(source)
    starts, lengths = _syllables(rng, n_samples / sample_rate, rate)
    # Four of the five vowels make a clip of babble varied enough, and clips unlike each other.
    names = rng.permutation(list(_VOWELS))[:4]
    vowels = rng.integers(0, len(names), len(starts))
    sung = filter_bank(source, sample_rate, [_vowel(str(name), scale) for name in names])
    speech = np.zeros(n_samples)
    for index, sound in enumerate(sung):
        chosen = vowels == index
        speech += unit(sound) * gate(n_samples, sample_rate, starts[chosen], lengths[chosen], 0.04)
    spoken = rng.uniform(size=len(starts)) < 0.6
    consonants = gate(n_samples, sample_rate, starts[spoken], 0.05, 0.02)
    return speech + hiss * consonants * noise(rng, n_samples, sample_rate, band(3500 * scale, 8000))


def _talker(
    rng: np.random.Generator, n_samples: int, sample_rate: int, pitch: float, scale: float, rate: float
) -> Signal:
    melody = pitch * wander(rng, n_samples, sample_rate, 4.0, 0.85, 1.2)
    source = voice(rng, melody, sample_rate, breath=0.03, bandwidth=2500 * scale)
    return _talk(rng, source, sample_rate, scale, rate, hiss=0.35)


def male(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A man's babble, 85 to 125 Hz; float64 (n_samples,)."""
    return _talker(rng, n_samples, sample_rate, rng.uniform(85, 125), rng.uniform(0.95, 1.05), rng.uniform(3.5, 5))


def female(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A woman's babble, 190 to 240 Hz; float64 (n_samples,)."""
    return _talker(rng, n_samples, sample_rate, rng.uniform(190, 240), rng.uniform(1.15, 1.22), rng.uniform(4, 5.5))


def child(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A small child's babble, 320 to 400 Hz; float64 (n_samples,)."""
    return _talker(rng, n_samples, sample_rate, rng.uniform(320, 400), rng.uniform(1.4, 1.55), rng.uniform(3, 4.5))


def whispering(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Syllables of breath without any pitch; float64 (n_samples,)."""
    source = noise(rng, n_samples, sample_rate, band(600, 6000, order=1))
    return _talk(rng, source, sample_rate, rng.uniform(1.05, 1.25), rng.uniform(3.5, 5), hiss=0.6)


def crowd(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Many talkers at once in a large room; float64 (n_samples,)."""
    source = 0.3 * noise(rng, n_samples, sample_rate, band(150, 2500, order=1))
    for pitch in rng.uniform(90, 260, 5):
        melody = pitch * wander(rng, n_samples, sample_rate, 3.0, 0.85, 1.2)
        loudness = wander(rng, n_samples, sample_rate, 4.0, -0.6, 1.0).clip(0.05)
        source += loudness * unit(pulse_train(melody, sample_rate, 2200))
    mixed = np.zeros(n_samples)
    for sound in filter_bank(source, sample_rate, [_vowel(name, rng.uniform(1.0, 1.15)) for name in "aeo"]):
        mixed += wander(rng, n_samples, sample_rate, 4.0, 0.3, 1.0) * sound
    return mixed


def laughter(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Bouts of "ha ha ha" that fall in pitch, with an audible breath before each "ha"; float64 (n_samples,)."""
    rate, pitch, scale = rng.uniform(4.5, 6.5), rng.uniform(180, 330), rng.uniform(1.0, 1.25)
    bout = rng.uniform(1.0, 1.6)
    place_in_bout = np.mod(time_axis(n_samples, sample_rate), bout) / bout
    melody = pitch * (1.25 - 0.5 * place_in_bout)
    starts = onsets(rng, n_samples / sample_rate, 1 / rate, jitter=0.1)
    sung = unit(filtered(voice(rng, melody, sample_rate, 0.15), sample_rate, _vowel("a", scale)))
    breath = noise(rng, n_samples, sample_rate, resonances((1200 * scale, 3000 * scale), (500, 1200)))
    loudness = 1.0 - 0.6 * place_in_bout
    voiced = gate(n_samples, sample_rate, starts + 0.35 / rate, 0.5 / rate, 0.02)
    puffs = gate(n_samples, sample_rate, starts, 0.35 / rate, 0.02)
    return loudness * (voiced * sung + 0.3 * puffs * breath)


def baby_cry(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Long wails, 420 to 560 Hz, that rise and fall, with a gasp between them; float64 (n_samples,)."""
    pitch, period = rng.uniform(420, 560), rng.uniform(0.9, 1.4)
    length = int(0.8 * period * sample_rate)
    takes = []
    for _ in range(2):
        arch = pitch * contour(length, (0.75, rng.uniform(1.0, 1.1), 1.05, rng.uniform(0.95, 1.1), 0.7))
        rough = arch * wander(rng, length, sample_rate, 60.0, 0.98, 1.02)
        cry = voice(rng, rough, sample_rate, 0.1, bandwidth=4500)
        formants = resonances((1100, 3300, 5200), (250, 400, 600), (1.0, 0.9, 0.4), floor=0.05)
        takes.append(unit(filtered(cry, sample_rate, formants)) * plateau(length, sample_rate, 0.08, 0.2))
    starts = onsets(rng, n_samples / sample_rate, period, jitter=0.05)
    gasps = gate(n_samples, sample_rate, starts + 0.82 * period, 0.15 * period, 0.04)
    air = gasps * noise(rng, n_samples, sample_rate, band(1500, 6000))
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.7) + 0.12 * air


def choir(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """Sustained chords sung on one vowel by voices of unlike vibrato; float64 (n_samples,)."""
    root, vowel = rng.uniform(150, 220), str(rng.choice(["a", "o"]))
    beat = rng.uniform(1.2, 2.0)
    starts = np.arange(0.0, n_samples / sample_rate, beat)
    steps = 2 ** (rng.choice([0, 2, 4, 5, 7], len(starts)) / 12)
    melody = root * steps[np.minimum((time_axis(n_samples, sample_rate) / beat).astype(int), len(steps) - 1)]
    time = time_axis(n_samples, sample_rate)
    total = np.zeros(n_samples)
    for ratio in (1.0, 1.26, 1.5, 2.0):
        vibrato = 1 + 0.012 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time + rng.uniform(0, 6))
        total += unit(pulse_train(rng.normal(1.0, 0.003) * ratio * melody * vibrato, sample_rate, 1800))
    sung = filtered(total, sample_rate, cascade(_vowel(vowel, 1.1), band(120, 5000)))
    return sung * (0.25 + 0.75 * gate(n_samples, sample_rate, starts, 0.97 * beat, 0.25))


def snoring(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Signal:
    """A rattling breath in and a soft breath out; float64 (n_samples,)."""
    period, flutter = rng.uniform(1.6, 2.4), rng.uniform(24, 38)
    length = int(0.55 * period * sample_rate)
    takes = []
    for _ in range(2):
        rattle = flutter * wander(rng, length, sample_rate, 12.0, 0.8, 1.25)
        snore = voice(rng, rattle, sample_rate, 0.15, bandwidth=900)
        shaped = unit(filtered(snore, sample_rate, resonances((220, 480, 1100), (120, 200, 300), (1.0, 0.6, 0.2))))
        takes.append(shaped * plateau(length, sample_rate, 0.3, 0.15))
    starts = onsets(rng, n_samples / sample_rate, period, jitter=0.05)
    out = gate(n_samples, sample_rate, starts + 0.6 * period, 0.35 * period, 0.2)
    return repeat(rng, n_samples, sample_rate, starts, takes, 0.7) + 0.15 * out * noise(
        rng, n_samples, sample_rate, band(500, 2000)
    )
