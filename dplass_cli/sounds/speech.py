"""Human voices: pulses of the vocal folds (or breath) through the resonances of a few vowels."""

from __future__ import annotations

import numpy as np

from dplass_cli.sounds.synthesis import Response, Signal, SyntheticClip, band, cascade, resonances, unit

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


def _syllables(clip: SyntheticClip, rate: float) -> tuple[Signal, Signal]:
    """Starts and lengths in seconds of the syllables of a talker who pauses between phrases."""
    starts, lengths = [], []
    now = clip.uniform(0.0, 0.05)
    while now < clip.seconds:
        for _ in range(clip.rng.integers(4, 9)):
            length = clip.uniform(0.7, 1.2) / rate
            starts.append(now)
            lengths.append(0.85 * length)
            now += length
        now += clip.uniform(0.1, 0.35)
    return np.array(starts), np.array(lengths)


def _talk(clip: SyntheticClip, source: Signal, scale: float, rate: float, hiss: float) -> Signal:
    """Cut ``source`` (n,) into syllables of changing vowels, with ``hiss`` as loud as consonants are."""
    starts, lengths = _syllables(clip, rate)
    # Four of the five vowels make a clip of babble varied enough, and clips unlike each other.
    names = clip.rng.permutation(list(_VOWELS))[:4]
    vowels = clip.rng.integers(0, len(names), len(starts))
    sung = clip.filter_bank(source, [_vowel(str(name), scale) for name in names])
    speech = clip.silence
    for index, sound in enumerate(sung):
        chosen = vowels == index
        speech += unit(sound) * clip.gate(starts[chosen], lengths[chosen], 0.04)
    spoken = clip.rng.uniform(size=len(starts)) < 0.6
    consonants = clip.gate(starts[spoken], 0.05, 0.02)
    return speech + hiss * consonants * clip.noise(band(3500 * scale, 8000))


def _talker(clip: SyntheticClip, pitch: float, scale: float, rate: float) -> Signal:
    melody = pitch * clip.wander(4.0, 0.85, 1.2)
    source = clip.voice(melody, breath=0.03, bandwidth=2500 * scale)
    return _talk(clip, source, scale, rate, hiss=0.35)


def male(clip: SyntheticClip) -> Signal:
    """A man's babble, 85 to 125 Hz."""
    return _talker(clip, clip.uniform(85, 125), clip.uniform(0.95, 1.05), clip.uniform(3.5, 5))


def female(clip: SyntheticClip) -> Signal:
    """A woman's babble, 190 to 240 Hz."""
    return _talker(clip, clip.uniform(190, 240), clip.uniform(1.15, 1.22), clip.uniform(4, 5.5))


def child(clip: SyntheticClip) -> Signal:
    """A small child's babble, 320 to 400 Hz."""
    return _talker(clip, clip.uniform(320, 400), clip.uniform(1.4, 1.55), clip.uniform(3, 4.5))


def whispering(clip: SyntheticClip) -> Signal:
    """Syllables of breath without any pitch."""
    source = clip.noise(band(600, 6000, order=1))
    return _talk(clip, source, clip.uniform(1.05, 1.25), clip.uniform(3.5, 5), hiss=0.6)


def crowd(clip: SyntheticClip) -> Signal:
    """Many talkers at once in a large room."""
    source = 0.3 * clip.noise(band(150, 2500, order=1))
    for pitch in clip.rng.uniform(90, 260, 5):
        melody = pitch * clip.wander(3.0, 0.85, 1.2)
        loudness = clip.wander(4.0, -0.6, 1.0).clip(0.05)
        source += loudness * unit(clip.pulse_train(melody, 2200))
    mixed = clip.silence
    for sound in clip.filter_bank(source, [_vowel(name, clip.uniform(1.0, 1.15)) for name in "aeo"]):
        mixed += clip.wander(4.0, 0.3, 1.0) * sound
    return mixed


def laughter(clip: SyntheticClip) -> Signal:
    """Bouts of "ha ha ha" that fall in pitch, with an audible breath before each "ha"."""
    rate, pitch, scale = clip.uniform(4.5, 6.5), clip.uniform(180, 330), clip.uniform(1.0, 1.25)
    bout = clip.uniform(1.0, 1.6)
    place_in_bout = np.mod(clip.time, bout) / bout
    melody = pitch * (1.25 - 0.5 * place_in_bout)
    starts = clip.onsets(1 / rate, jitter=0.1)
    sung = unit(clip.filtered(clip.voice(melody, 0.15), _vowel("a", scale)))
    breath = clip.noise(resonances((1200 * scale, 3000 * scale), (500, 1200)))
    loudness = 1.0 - 0.6 * place_in_bout
    voiced = clip.gate(starts + 0.35 / rate, 0.5 / rate, 0.02)
    puffs = clip.gate(starts, 0.35 / rate, 0.02)
    return loudness * (voiced * sung + 0.3 * puffs * breath)


def baby_cry(clip: SyntheticClip) -> Signal:
    """Long wails, 420 to 560 Hz, that rise and fall, with a gasp between them."""
    pitch, period = clip.uniform(420, 560), clip.uniform(0.9, 1.4)
    part = clip.part(0.8 * period)
    takes = []
    for _ in range(2):
        arch = pitch * part.contour((0.75, clip.uniform(1.0, 1.1), 1.05, clip.uniform(0.95, 1.1), 0.7))
        rough = arch * part.wander(60.0, 0.98, 1.02)
        cry = clip.voice(rough, 0.1, bandwidth=4500)
        formants = resonances((1100, 3300, 5200), (250, 400, 600), (1.0, 0.9, 0.4), floor=0.05)
        takes.append(unit(clip.filtered(cry, formants)) * part.plateau(0.08, 0.2))
    starts = clip.onsets(period, jitter=0.05)
    gasps = clip.gate(starts + 0.82 * period, 0.15 * period, 0.04)
    air = gasps * clip.noise(band(1500, 6000))
    return clip.repeat(starts, takes, 0.7) + 0.12 * air


def choir(clip: SyntheticClip) -> Signal:
    """Sustained chords sung on one vowel by voices of unlike vibrato."""
    root, vowel = clip.uniform(150, 220), str(clip.rng.choice(["a", "o"]))
    beat = clip.uniform(1.2, 2.0)
    starts = np.arange(0.0, clip.seconds, beat, dtype=np.float64)
    steps = 2 ** (clip.rng.choice([0, 2, 4, 5, 7], len(starts)) / 12)
    melody = root * steps[np.minimum((clip.time / beat).astype(int), len(steps) - 1)]
    time = clip.time
    total = clip.silence
    for ratio in (1.0, 1.26, 1.5, 2.0):
        vibrato = 1 + 0.012 * np.sin(2 * np.pi * clip.uniform(4.5, 6.5) * time + clip.uniform(0, 6))
        total += unit(clip.pulse_train(clip.rng.normal(1.0, 0.003) * ratio * melody * vibrato, 1800))
    sung = clip.filtered(total, cascade(_vowel(vowel, 1.1), band(120, 5000)))
    return sung * (0.25 + 0.75 * clip.gate(starts, 0.97 * beat, 0.25))


def snoring(clip: SyntheticClip) -> Signal:
    """A rattling breath in and a soft breath out."""
    period, flutter = clip.uniform(1.6, 2.4), clip.uniform(24, 38)
    part = clip.part(0.55 * period)
    takes = []
    for _ in range(2):
        rattle = flutter * part.wander(12.0, 0.8, 1.25)
        snore = clip.voice(rattle, 0.15, bandwidth=900)
        shaped = unit(clip.filtered(snore, resonances((220, 480, 1100), (120, 200, 300), (1.0, 0.6, 0.2))))
        takes.append(shaped * part.plateau(0.3, 0.15))
    starts = clip.onsets(period, jitter=0.05)
    out = clip.gate(starts + 0.6 * period, 0.35 * period, 0.2)
    return clip.repeat(starts, takes, 0.7) + 0.15 * out * clip.noise(band(500, 2000))
